/**
 * Weight gradient of a convolution: some gradient planes against some (input channel, tap) pairs at a time, over chunks of rows
 * that are at most 512 pixels long, so that a chunk's gradients stay in the innermost cache while all inputs pass.
 */

import { CHUNK_VECTORS, Walk } from './dots';
import { dots3x3, dots4x2, dots4x2wide, dots6x2, dots6x2wide } from './generated/dots';
import { VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class ConvolveWeights {
  target: usize;
  /** Working memory: {@link TILE_BYTES}, then float64 sums, for each pair those of the gradient planes of a tile. */
  scratch: usize;
  kernelTaps: usize;
  tapCount: usize;
  /** 1 where the engine makes one register of two vectors side by side, else 0. */
  wide: u32;
}

const FIELDS: usize = 2 * VIEW_BYTES;
const WALK: usize = FIELDS + offsetof<ConvolveWeights>();
const TAPS: usize = WALK + offsetof<Walk>();

/** What a wide tile folds its lanes in: 6 x 2 sums of two vectors. */
const TILE_BYTES: usize = 384;

/** Block: source, gradient, {@link ConvolveWeights}, a {@link Walk}, byte offsets of taps, their indices in the kernel. */
export function convolveWeights(block: usize): void {
  const gradient = viewOf(block, 1);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const pairs = viewOf(block, 0).channels * fields.tapCount;
  prepareWalk(block);
  for (let channel: usize = 0; channel < gradient.channels; ) {
    const planes = tilePlanes(gradient.channels - channel);
    memory.fill(fields.scratch + TILE_BYTES, 0, (pairs + 2) * (planes << 3));
    walkColumns(block, channel, planes);
    storeSums(block, channel, planes);
    channel += planes;
  }
}

/** Gradient planes of the next tile when `left` are left: the most that registers hold, and fours so that none is computed for nothing. */
function tilePlanes(left: usize): usize {
  if (ASC_FEATURE_RELAXED_SIMD) return left >= 9 || left == 6 || left == 5 ? 6 : 4;
  return left % 3 == 0 || left < 4 || left == 5 ? 3 : 4;
}

function prepareWalk(block: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const walk = changetype<Walk>(block + WALK);
  walk.height = gradient.rows;
  walk.aRow = gradient.row;
  walk.aJump = gradient.sample - (gradient.rows - 1) * gradient.row;
  walk.bRow = source.row;
  walk.bJump = source.sample - (gradient.rows - 1) * source.row;
}

/**
 * Rows in stretches of at most 512 pixels. Wide tiles want an even number of vectors: the last one of an odd number has a walk of its own,
 * which is another order of sums, and so not for mode strict.
 */
function walkColumns(block: usize, channel: usize, planes: usize): void {
  const vectors = (viewOf(block, 1).columns + 3) >> 2;
  const odd = ASC_FEATURE_RELAXED_SIMD ? vectors & changetype<ConvolveWeights>(block + FIELDS).wide : 0;
  const even = vectors - odd;
  for (let v: usize = 0; v < even; v += CHUNK_VECTORS) walkChunks(block, channel, planes, v, min(even - v, CHUNK_VECTORS));
  if (odd) walkChunks(block, channel, planes, even, 1);
}

/** Rows are counted through all samples. */
function walkChunks(block: usize, channel: usize, planes: usize, first: usize, vectors: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const walk = changetype<Walk>(block + WALK);
  const rows = gradient.samples * gradient.rows;
  const chunkRows = max(CHUNK_VECTORS / vectors, 1);
  walk.vectors = vectors;
  for (let row: usize = 0; row < rows; row += chunkRows) {
    const n = row / gradient.rows;
    walk.y = row % gradient.rows;
    walk.rows = min(chunkRows, rows - row);
    const skip = first << 4;
    chunk(block, planes, rowOf(gradient, n, channel, walk.y) + skip, gradient.channels - channel - 1, rowOf(source, n, 0, walk.y) + skip);
  }
}

/**
 * Adds one chunk to the sums of all pairs; `after` gradient planes follow the one at `a`. Missing gradient planes are stood in for by the
 * last one. Where the last pair is alone, the others of its tile are too; their sums lie behind those of all pairs.
 */
function chunk(block: usize, planes: usize, a: usize, after: usize, b: usize): void {
  const source = viewOf(block, 0);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const tapsEnd = block + TAPS + (fields.tapCount << 2);
  const together: usize = planes == 3 ? 3 : 2;
  let tap = block + TAPS;
  let sums = fields.scratch + TILE_BYTES;
  for (let left = <isize>(source.channels * fields.tapCount); left > 0; left -= together) {
    const b0 = b + load<usize>(tap);
    let b1 = b0;
    let b2 = b0;
    tap += 4;
    if (tap == tapsEnd) {
      tap = block + TAPS;
      b += source.plane;
    }
    if (left > 1) {
      b1 = b + load<usize>(tap);
      tap += 4;
      if (tap == tapsEnd) {
        tap = block + TAPS;
        b += source.plane;
      }
    }
    if (together == 3 && left > 2) {
      b2 = b + load<usize>(tap);
      tap += 4;
      if (tap == tapsEnd) {
        tap = block + TAPS;
        b += source.plane;
      }
    }
    tile(block, planes, a, after, b0, b1, b2, sums);
    sums += together * (planes << 3);
  }
}

function tile(block: usize, planes: usize, a: usize, after: usize, b0: usize, b1: usize, b2: usize, sums: usize): void {
  const plane = viewOf(block, 1).plane;
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const walk = changetype<Walk>(block + WALK);
  const a1 = a + min<usize>(after, 1) * plane;
  const a2 = a + min<usize>(after, 2) * plane;
  if (!ASC_FEATURE_RELAXED_SIMD) {
    if (planes == 3) return dots3x3(a, a1, a2, b0, b1, b2, walk, sums);
  }
  const a3 = a + min<usize>(after, 3) * plane;
  if (ASC_FEATURE_RELAXED_SIMD) {
    const wide = fields.wide != 0 && (walk.vectors & 1) == 0;
    if (planes == 6) {
      const a4 = a + min<usize>(after, 4) * plane;
      const a5 = a + min<usize>(after, 5) * plane;
      if (wide) dots6x2wide(a, a1, a2, a3, a4, a5, b0, b1, walk, sums, fields.scratch);
      else dots6x2(a, a1, a2, a3, a4, a5, b0, b1, walk, sums);
      return;
    }
    if (wide) return dots4x2wide(a, a1, a2, a3, b0, b1, walk, sums, fields.scratch);
  }
  dots4x2(a, a1, a2, a3, b0, b1, walk, sums);
}

/** Rounds the sums of a tile's output channels to float32, each to its place in the kernel. */
function storeSums(block: usize, channel: usize, planes: usize): void {
  const inputs = viewOf(block, 0).channels;
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const indices = block + TAPS + (fields.tapCount << 2);
  const rows = min<usize>(viewOf(block, 1).channels - channel, planes);
  for (let row: usize = 0; row < rows; row++) {
    let sum = fields.scratch + TILE_BYTES + (row << 3);
    for (let input: usize = 0; input < inputs; input++) {
      const kernel = ((channel + row) * inputs + input) * fields.kernelTaps;
      for (let t: usize = 0; t < fields.tapCount; t++, sum += planes << 3) {
        const index = kernel + load<usize>(indices + (t << 2));
        store<f32>(fields.target + (index << 2), <f32>load<f64>(sum));
      }
    }
  }
}
