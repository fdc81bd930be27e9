/**
 * Depthwise convolution at stride 1, every channel with a kernel of its own: forward, and the input gradient with mirrored weights.
 *
 * A tile is four rows of two vectors of 4 pixels. A row's last vector overlaps the one before it, and the last row stands in for rows that
 * are missing: both are computed again, with the same bits. Rows narrower than a vector go pixel by pixel.
 */

import { activate, activateOne } from './vector';
import { VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class Depthwise {
  weights: usize;
  /** Bytes of one channel's kernel. */
  kernelBytes: usize;
  bias: usize;
  slope: f32;
  tapCount: usize;
}

const FIELDS: usize = 2 * VIEW_BYTES;
const TAPS: usize = FIELDS + offsetof<Depthwise>();

/** Block: source, target, {@link Depthwise}, then for each tap its byte offsets from the output's pixel and in the kernel. */
export function convolveDepthwise(block: usize): void {
  const target = viewOf(block, 1);
  for (let n: usize = 0; n < target.samples; n++) {
    for (let c: usize = 0; c < target.channels; c++) {
      if (target.columns < 4) narrowPlane(block, n, c);
      else plane(block, n, c);
    }
  }
}

function kernelOf(block: usize, c: usize): usize {
  const fields = changetype<Depthwise>(block + FIELDS);
  return fields.weights + c * fields.kernelBytes;
}

function biasOf(block: usize, c: usize): f32 {
  const bias = changetype<Depthwise>(block + FIELDS).bias;
  return bias == 0 ? 0 : load<f32>(bias + (c << 2));
}

function plane(block: usize, n: usize, c: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const kernel = kernelOf(block, c);
  const bias = f32x4.splat(biasOf(block, c));
  const last = (target.columns - 4) << 2;
  for (let y: usize = 0; y < target.rows; y += 4) {
    const rows = min(target.rows - y, 4);
    const from = rowOf(source, n, c, y);
    const to = rowOf(target, n, c, y);
    for (let x: usize = 0; x <= last; x += 32) {
      const step = min(x + 16, last) - x;
      tile(block, kernel, bias, rows, from + x, to + x, step);
    }
    // What the last whole vector of a pair leaves: one to three pixels beyond an even number of vectors.
    if (target.columns & 3 && !((target.columns >> 2) & 1)) tile(block, kernel, bias, rows, from + last, to + last, 0);
  }
}

/** Two vectors, `step` bytes apart, of each of `rows` rows: one to four. */
function tile(block: usize, kernel: usize, bias: v128, rows: usize, from: usize, to: usize, step: usize): void {
  const fields = changetype<Depthwise>(block + FIELDS);
  const end = block + TAPS + (fields.tapCount << 3);
  const row = viewOf(block, 0).row;
  const p1 = from + (rows > 1 ? row : 0);
  const p2 = rows > 2 ? p1 + row : p1;
  const p3 = rows > 3 ? p2 + row : p2;
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  for (let tap = block + TAPS; tap != end; tap += 8) {
    const at = load<usize>(tap);
    const w = v128.load32_splat(kernel + load<usize>(tap, 4));
    a0 = f32x4.add(a0, f32x4.mul(v128.load(from + at), w));
    b0 = f32x4.add(b0, f32x4.mul(v128.load(from + at + step), w));
    a1 = f32x4.add(a1, f32x4.mul(v128.load(p1 + at), w));
    b1 = f32x4.add(b1, f32x4.mul(v128.load(p1 + at + step), w));
    a2 = f32x4.add(a2, f32x4.mul(v128.load(p2 + at), w));
    b2 = f32x4.add(b2, f32x4.mul(v128.load(p2 + at + step), w));
    a3 = f32x4.add(a3, f32x4.mul(v128.load(p3 + at), w));
    b3 = f32x4.add(b3, f32x4.mul(v128.load(p3 + at + step), w));
  }
  const down = viewOf(block, 1).row;
  storePair(to, step, fields.slope, f32x4.add(a0, bias), f32x4.add(b0, bias));
  if (rows > 1) storePair(to + down, step, fields.slope, f32x4.add(a1, bias), f32x4.add(b1, bias));
  if (rows > 2) storePair(to + 2 * down, step, fields.slope, f32x4.add(a2, bias), f32x4.add(b2, bias));
  if (rows > 3) storePair(to + 3 * down, step, fields.slope, f32x4.add(a3, bias), f32x4.add(b3, bias));
}

function storePair(to: usize, step: usize, slope: f32, a: v128, b: v128): void {
  v128.store(to, activate(a, slope));
  v128.store(to + step, activate(b, slope));
}

function narrowPlane(block: usize, n: usize, c: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const fields = changetype<Depthwise>(block + FIELDS);
  const end = block + TAPS + (fields.tapCount << 3);
  const kernel = kernelOf(block, c);
  const bias = biasOf(block, c);
  for (let y: usize = 0; y < target.rows; y++) {
    for (let x: usize = 0; x < target.columns; x++) {
      const from = rowOf(source, n, c, y) + (x << 2);
      let sum: f32 = 0;
      for (let tap = block + TAPS; tap != end; tap += 8) {
        sum += load<f32>(from + load<usize>(tap)) * load<f32>(kernel + load<usize>(tap, 4));
      }
      store<f32>(rowOf(target, n, c, y) + (x << 2), activateOne(sum + bias, fields.slope));
    }
  }
}
