/**
 * Direct convolution at stride 1 over planes with their halo: forward, and the input gradient with mirrored weights.
 *
 * The register tile is 4 output rows (channels) x 8 pixels: two vectors of 4 pixels that lie `step` bytes apart, side by side in
 * one row, or one below the other where a row has an odd number of vectors. A row's last vector overlaps the one before
 * it, so that nothing beyond the row is read or written; its pixels are computed twice, with the same bits. Rows narrower than
 * a vector are gathered pixel by pixel. Every output is one float32 sum, tap by tap, in each tap column by column.
 */

import { activate } from './vector';
import { View, VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class Convolve {
  packed: usize;
  bias: usize;
  slope: f32;
  /** Rows of the target that are computed for all channels before the next ones: their sources stay in the cache. */
  stripRows: usize;
  tapCount: usize;
}

/** Block: source, target, {@link Convolve}, then the byte offset of each tap. */
export function convolve(block: usize): void {
  const target = viewOf(block, 1);
  if (target.columns < 4) {
    convolveNarrow(block);
    return;
  }
  const strip = changetype<Convolve>(block + 2 * VIEW_BYTES).stripRows;
  for (let n: usize = 0; n < target.samples; n++) {
    for (let y: usize = 0; y < target.rows; y += strip) {
      const end = min(y + strip, target.rows);
      for (let channel: usize = 0; channel < target.channels; channel += 4) convolveStrip(block, n, channel, y, end);
    }
  }
}

/** Address of the packed weights of a block of four rows that begins with `channel`. */
function weightsOf(block: usize, channel: usize): usize {
  const fields = changetype<Convolve>(block + 2 * VIEW_BYTES);
  return fields.packed + ((channel * fields.tapCount * viewOf(block, 0).channels) << 2);
}

function convolveStrip(block: usize, n: usize, channel: usize, start: usize, end: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const weights = weightsOf(block, channel);
  const vectors = (target.columns + 3) >> 2;
  const last = (target.columns - 4) << 2;
  for (let y = start; y < end; y++) {
    const from = rowOf(source, n, 0, y);
    const to = rowOf(target, n, channel, y);
    for (let v: usize = 1; v < vectors; v += 2) {
      const x = (v - 1) << 4;
      const step = min(x + 16, last) - x;
      tile(block, channel, weights, from + x, step, to + x, step);
    }
    if (vectors & 1 && !((y - start) & 1)) {
      const paired = y + 1 < end;
      tile(block, channel, weights, from + last, paired ? source.row : 0, to + last, paired ? target.row : 0);
    }
  }
}

/** Four channels of two vectors of pixels; the second vectors lie `sourceStep` and `targetStep` bytes from the first. */
function tile(
  block: usize,
  channel: usize,
  weights: usize,
  from: usize,
  sourceStep: usize,
  to: usize,
  targetStep: usize,
): void {
  const source = viewOf(block, 0);
  const columns = source.channels;
  const plane = source.plane;
  let tap = block + 2 * VIEW_BYTES + offsetof<Convolve>();
  const tapsEnd = tap + (changetype<Convolve>(block + 2 * VIEW_BYTES).tapCount << 2);
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  for (; tap < tapsEnd; tap += 4) {
    let p = from + load<usize>(tap);
    for (let c = columns; c != 0; c--) {
      const a = v128.load(p);
      const b = v128.load(p + sourceStep);
      const w0 = v128.load32_splat(weights);
      a0 = f32x4.add(a0, f32x4.mul(a, w0));
      b0 = f32x4.add(b0, f32x4.mul(b, w0));
      const w1 = v128.load32_splat(weights, 4);
      a1 = f32x4.add(a1, f32x4.mul(a, w1));
      b1 = f32x4.add(b1, f32x4.mul(b, w1));
      const w2 = v128.load32_splat(weights, 8);
      a2 = f32x4.add(a2, f32x4.mul(a, w2));
      b2 = f32x4.add(b2, f32x4.mul(b, w2));
      const w3 = v128.load32_splat(weights, 12);
      a3 = f32x4.add(a3, f32x4.mul(a, w3));
      b3 = f32x4.add(b3, f32x4.mul(b, w3));
      p += plane;
      weights += 16;
    }
  }
  const target = viewOf(block, 1);
  const rows = target.channels - channel;
  storeVectors(block, channel, to, targetStep, a0, b0);
  if (rows > 1) storeVectors(block, channel + 1, to + target.plane, targetStep, a1, b1);
  if (rows > 2) storeVectors(block, channel + 2, to + 2 * target.plane, targetStep, a2, b2);
  if (rows > 3) storeVectors(block, channel + 3, to + 3 * target.plane, targetStep, a3, b3);
}

function storeVectors(block: usize, channel: usize, to: usize, step: usize, a: v128, b: v128): void {
  v128.store(to, finish(block, channel, a));
  v128.store(to + step, finish(block, channel, b));
}

/** Bias, then activation. */
function finish(block: usize, channel: usize, sum: v128): v128 {
  const fields = changetype<Convolve>(block + 2 * VIEW_BYTES);
  if (fields.bias != 0) sum = f32x4.add(sum, v128.load32_splat(fields.bias + (channel << 2)));
  return activate(sum, fields.slope);
}

/** Rows of one to three pixels: any four pixels of the target make a vector; the last one stands in for those that are missing. */
function convolveNarrow(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const count = target.samples * target.rows * target.columns;
  for (let channel: usize = 0; channel < target.channels; channel += 4) {
    for (let pixel: usize = 0; pixel < count; pixel += 4) {
      const p1 = min(pixel + 1, count - 1);
      const p2 = min(pixel + 2, count - 1);
      const p3 = min(pixel + 3, count - 1);
      gatherTile(
        block,
        channel,
        pixelOf(source, target, pixel),
        pixelOf(source, target, p1),
        pixelOf(source, target, p2),
        pixelOf(source, target, p3),
        pixel,
      );
    }
  }
}

/** Address in `view` of a pixel that is counted through the samples, rows and columns of `target`. */
function pixelOf(view: View, target: View, index: usize): usize {
  const row = index / target.columns;
  return rowOf(view, row / target.rows, 0, row % target.rows) + ((index % target.columns) << 2);
}

function gatherTile(block: usize, channel: usize, p0: usize, p1: usize, p2: usize, p3: usize, pixel: usize): void {
  const source = viewOf(block, 0);
  let weights = weightsOf(block, channel);
  let tap = block + 2 * VIEW_BYTES + offsetof<Convolve>();
  const tapsEnd = tap + (changetype<Convolve>(block + 2 * VIEW_BYTES).tapCount << 2);
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  for (; tap < tapsEnd; tap += 4) {
    let at = load<usize>(tap);
    for (let c = source.channels; c != 0; c--) {
      let a = v128.load32_zero(p0 + at);
      a = v128.load_lane<i32>(p1 + at, a, 1);
      a = v128.load_lane<i32>(p2 + at, a, 2);
      a = v128.load_lane<i32>(p3 + at, a, 3);
      a0 = f32x4.add(a0, f32x4.mul(a, v128.load32_splat(weights)));
      a1 = f32x4.add(a1, f32x4.mul(a, v128.load32_splat(weights, 4)));
      a2 = f32x4.add(a2, f32x4.mul(a, v128.load32_splat(weights, 8)));
      a3 = f32x4.add(a3, f32x4.mul(a, v128.load32_splat(weights, 12)));
      at += source.plane;
      weights += 16;
    }
  }
  scatter(block, channel, pixel, a0);
  scatter(block, channel + 1, pixel, a1);
  scatter(block, channel + 2, pixel, a2);
  scatter(block, channel + 3, pixel, a3);
}

function scatter(block: usize, channel: usize, pixel: usize, sum: v128): void {
  const target = viewOf(block, 1);
  if (channel >= target.channels) return;
  const value = finish(block, channel, sum);
  const left = target.samples * target.rows * target.columns - pixel;
  const plane = channel * target.plane;
  store<f32>(pixelOf(target, target, pixel) + plane, f32x4.extract_lane(value, 0));
  if (left > 1) store<f32>(pixelOf(target, target, pixel + 1) + plane, f32x4.extract_lane(value, 1));
  if (left > 2) store<f32>(pixelOf(target, target, pixel + 2) + plane, f32x4.extract_lane(value, 2));
  if (left > 3) store<f32>(pixelOf(target, target, pixel + 3) + plane, f32x4.extract_lane(value, 3));
}
