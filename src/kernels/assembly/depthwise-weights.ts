/**
 * Weight gradient of a depthwise convolution: one gradient plane against five taps of its source plane at a time. Lane sums in float32
 * cover at most 512 pixels of one row or of several whole ones, then are added in float64.
 */

import { sumOfLanes } from './vector';
import { VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class DepthwiseWeights {
  target: usize;
  /** Bytes of one channel's kernel. */
  kernelBytes: usize;
  tapCount: usize;
}

const FIELDS: usize = 2 * VIEW_BYTES;
/** Five float64 sums. */
const SUMS: usize = FIELDS + offsetof<DepthwiseWeights>();
const SUMS_BYTES: usize = 40;
const TAPS: usize = SUMS + SUMS_BYTES;
/** Vectors of four terms that a float32 lane partial may cover: 512 terms. */
const CHUNK_VECTORS: usize = 128;
const TAP_BLOCK: usize = 5;

/** Block: source, gradient, {@link DepthwiseWeights}, room for five float64, then for each tap its byte offsets from the pixel and in the kernel. */
export function convolveDepthwiseWeights(block: usize): void {
  const gradient = viewOf(block, 1);
  const fields = changetype<DepthwiseWeights>(block + FIELDS);
  for (let c: usize = 0; c < gradient.channels; c++) {
    for (let tap: usize = 0; tap < fields.tapCount; tap += TAP_BLOCK) fiveTaps(block, c, tap);
  }
}

/** Byte offset of a tap from the pixel; the last one stands in for those that are missing. */
function offsetOf(block: usize, tap: usize): usize {
  return load<usize>(block + TAPS + (min(tap, changetype<DepthwiseWeights>(block + FIELDS).tapCount - 1) << 3));
}

function fiveTaps(block: usize, c: usize, tap: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const vectors = (gradient.columns + 3) >> 2;
  const chunkRows: usize = vectors == 0 ? 1 : max<usize>(CHUNK_VECTORS / vectors, 1);
  memory.fill(block + SUMS, 0, SUMS_BYTES);
  for (let n: usize = 0; n < gradient.samples; n++) {
    for (let y: usize = 0; y < gradient.rows; y += chunkRows) {
      const rows: usize = min(chunkRows, gradient.rows - y);
      for (let v: usize = 0; v < vectors; v += CHUNK_VECTORS) {
        const bytes = min(vectors - v, CHUNK_VECTORS) << 4;
        chunk(block, tap, rowOf(gradient, n, c, y) + (v << 4), rowOf(source, n, c, y) + (v << 4), rows, bytes);
      }
    }
  }
  storeSums(block, c, tap);
}

/** Adds `rows` rows of `bytes` bytes, the gradient's from `a` and the source's from `b`, to the five sums. */
function chunk(block: usize, tap: usize, a: usize, b: usize, rows: usize, bytes: usize): void {
  const o0 = offsetOf(block, tap);
  const o1 = offsetOf(block, tap + 1);
  const o2 = offsetOf(block, tap + 2);
  const o3 = offsetOf(block, tap + 3);
  const o4 = offsetOf(block, tap + 4);
  const downA = viewOf(block, 1).row - bytes;
  const downB = viewOf(block, 0).row - bytes;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let s4 = f32x4.splat(0);
  for (; rows != 0; rows--, a += downA, b += downB) {
    for (const end = a + bytes; a != end; a += 16, b += 16) {
      const g = v128.load(a);
      s0 = f32x4.add(s0, f32x4.mul(g, v128.load(b + o0)));
      s1 = f32x4.add(s1, f32x4.mul(g, v128.load(b + o1)));
      s2 = f32x4.add(s2, f32x4.mul(g, v128.load(b + o2)));
      s3 = f32x4.add(s3, f32x4.mul(g, v128.load(b + o3)));
      s4 = f32x4.add(s4, f32x4.mul(g, v128.load(b + o4)));
    }
  }
  addTo(block + SUMS, s0);
  addTo(block + SUMS + 8, s1);
  addTo(block + SUMS + 16, s2);
  addTo(block + SUMS + 24, s3);
  addTo(block + SUMS + 32, s4);
}

function addTo(sum: usize, lanes: v128): void {
  store<f64>(sum, load<f64>(sum) + sumOfLanes(lanes));
}

function storeSums(block: usize, c: usize, tap: usize): void {
  const fields = changetype<DepthwiseWeights>(block + FIELDS);
  const kernel = fields.target + c * fields.kernelBytes;
  const count = min(fields.tapCount - tap, TAP_BLOCK);
  for (let t: usize = 0; t < count; t++) {
    const index = load<usize>(block + TAPS + ((tap + t) << 3), 4);
    store<f32>(kernel + index, <f32>load<f64>(block + SUMS + (t << 3)));
  }
}
