/**
 * Convolution to rows of one to three pixels: any four pixels of the target, of whichever rows and samples, make a vector; the last
 * one stands in for those that are missing.
 */

import { Convolve, FIELDS, TAPS, biasOf, weightsOf } from './convolve-block';
import { activate } from './vector';
import { View, rowOf, viewOf } from './view';

/** Block: as for convolve. */
export function convolveNarrow(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const count = target.samples * target.rows * target.columns;
  for (let channel: usize = 0; channel < target.channels; channel += 4) {
    for (let pixel: usize = 0; pixel < count; pixel += 4) {
      const p0 = pixelOf(source, target, pixel);
      const p1 = pixelOf(source, target, min(pixel + 1, count - 1));
      const p2 = pixelOf(source, target, min(pixel + 2, count - 1));
      const p3 = pixelOf(source, target, min(pixel + 3, count - 1));
      gatherTile(block, channel, p0, p1, p2, p3, pixel);
    }
  }
}

/** Address in `view` of a pixel that is counted through the samples, rows and columns of `target`. */
function pixelOf(view: View, target: View, index: usize): usize {
  const row = index / target.columns;
  return rowOf(view, row / target.rows, 0, row % target.rows) + ((index % target.columns) << 2);
}

function gatherTile(block: usize, channel: usize, p0: usize, p1: usize, p2: usize, p3: usize, pixel: usize): void {
  const fields = changetype<Convolve>(block + FIELDS);
  const step = viewOf(block, 0).plane;
  const tapsEnd = block + TAPS + (fields.tapCount << 2);
  let w = weightsOf(block, channel);
  const end = w + fields.weightBytes;
  let plane: usize = 0;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  while (w != end) {
    const chunkEnd = min(w + fields.chunkBytes, end);
    let a0 = f32x4.splat(0);
    let a1 = f32x4.splat(0);
    let a2 = f32x4.splat(0);
    let a3 = f32x4.splat(0);
    for (; w != chunkEnd; plane += step) {
      for (let tap = block + TAPS; tap < tapsEnd; tap += 4, w += 16) {
        const at = plane + load<usize>(tap);
        let a = v128.load32_zero(p0 + at);
        a = v128.load_lane<i32>(p1 + at, a, 1);
        a = v128.load_lane<i32>(p2 + at, a, 2);
        a = v128.load_lane<i32>(p3 + at, a, 3);
        a0 = f32x4.add(a0, f32x4.mul(a, v128.load32_splat(w)));
        a1 = f32x4.add(a1, f32x4.mul(a, v128.load32_splat(w, 4)));
        a2 = f32x4.add(a2, f32x4.mul(a, v128.load32_splat(w, 8)));
        a3 = f32x4.add(a3, f32x4.mul(a, v128.load32_splat(w, 12)));
      }
    }
    s0 = f32x4.add(s0, a0);
    s1 = f32x4.add(s1, a1);
    s2 = f32x4.add(s2, a2);
    s3 = f32x4.add(s3, a3);
  }
  scatter(block, channel, pixel, s0);
  scatter(block, channel + 1, pixel, s1);
  scatter(block, channel + 2, pixel, s2);
  scatter(block, channel + 3, pixel, s3);
}

function scatter(block: usize, channel: usize, pixel: usize, sum: v128): void {
  const target = viewOf(block, 1);
  if (channel >= target.channels) return;
  const slope = changetype<Convolve>(block + FIELDS).slope;
  const value = activate(f32x4.add(sum, biasOf(block, channel)), slope);
  const left = target.samples * target.rows * target.columns - pixel;
  const plane = channel * target.plane;
  store<f32>(plane + pixelOf(target, target, pixel), f32x4.extract_lane(value, 0));
  if (left > 1) store<f32>(plane + pixelOf(target, target, pixel + 1), f32x4.extract_lane(value, 1));
  if (left > 2) store<f32>(plane + pixelOf(target, target, pixel + 2), f32x4.extract_lane(value, 2));
  if (left > 3) store<f32>(plane + pixelOf(target, target, pixel + 3), f32x4.extract_lane(value, 3));
}
