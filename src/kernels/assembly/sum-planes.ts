/** Sums over whole planes: bias gradients. */

import { sumOfLanes } from './vector';
import { VIEW_BYTES, rowOf, viewOf } from './view';

/** Pixels whose float32 partial sums are added before they join the float64 one. */
const CHUNK_PIXELS: usize = 512;

/** Block: source, address of one float a channel. Pixels beyond the last whole vector are added in float64. */
export function sumPlanes(block: usize): void {
  const source = viewOf(block, 0);
  const target = load<usize>(block + VIEW_BYTES);
  for (let c: usize = 0; c < source.channels; c++) {
    let sum: f64 = 0;
    for (let n: usize = 0; n < source.samples; n++) {
      for (let y: usize = 0; y < source.rows; y++) sum += sumRow(rowOf(source, n, c, y), source.columns);
    }
    store<f32>(target + (c << 2), <f32>sum);
  }
}

/** Sum of `count` pixels side by side. */
export function sumRow(at: usize, count: usize): f64 {
  let sum: f64 = 0;
  for (; count >= 4; ) {
    const pixels = min(count, CHUNK_PIXELS) & ~3;
    sum += sumChunk(at, pixels);
    at += pixels << 2;
    count -= pixels;
  }
  for (; count != 0; count--, at += 4) sum += <f64>load<f32>(at);
  return sum;
}

/** Four vectors at a time, so that one addition need not wait for the other. */
function sumChunk(at: usize, pixels: usize): f64 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (; pixels >= 16; pixels -= 16, at += 64) {
    s0 = f32x4.add(s0, v128.load(at));
    s1 = f32x4.add(s1, v128.load(at, 16));
    s2 = f32x4.add(s2, v128.load(at, 32));
    s3 = f32x4.add(s3, v128.load(at, 48));
  }
  for (; pixels != 0; pixels -= 4, at += 16) s0 = f32x4.add(s0, v128.load(at));
  return sumOfLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}
