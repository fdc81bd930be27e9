/** Pixels of narrow rows, one by one: their addresses, and four of them stored. */

import { Convolve, FIELDS, biasOf } from './convolve-block';
import { activate } from './vector';
import { View, rowOf, viewOf } from './view';

/** Address in `view` of a pixel that is counted through the samples, rows and columns of `target`. */
export function pixelOf(view: View, target: View, index: usize): usize {
  const row = index / target.columns;
  return rowOf(view, row / target.rows, 0, row % target.rows) + ((index % target.columns) << 2);
}

/** Stores up to four sums of a channel at the pixels that begin with number `pixel`. Channels beyond the last are dropped. */
export function scatter(block: usize, channel: usize, pixel: usize, sum: v128): void {
  const target = viewOf(block, 1);
  if (channel >= target.channels) return;
  const slope = changetype<Convolve>(block + FIELDS).slope;
  const value = activate(f32x4.add(sum, f32x4.splat(biasOf(block, channel))), slope);
  const left = target.samples * target.rows * target.columns - pixel;
  const plane = channel * target.plane;
  store<f32>(plane + pixelOf(target, target, pixel), f32x4.extract_lane(value, 0));
  if (left > 1) store<f32>(plane + pixelOf(target, target, pixel + 1), f32x4.extract_lane(value, 1));
  if (left > 2) store<f32>(plane + pixelOf(target, target, pixel + 2), f32x4.extract_lane(value, 2));
  if (left > 3) store<f32>(plane + pixelOf(target, target, pixel + 3), f32x4.extract_lane(value, 3));
}
