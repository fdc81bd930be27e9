/**
 * Weight gradient of a convolution: four gradient planes against two (input channel, tap) pairs at a time, over chunks of rows
 * that are at most 512 pixels long, so that a chunk's gradients stay in the innermost cache while all inputs pass.
 */

import { CHUNK_VECTORS, SUMS_BYTES, Walk, dots } from './dots';
import { VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class ConvolveWeights {
  target: usize;
  scratch: usize;
  kernelTaps: usize;
  tapCount: usize;
}

const FIELDS: usize = 2 * VIEW_BYTES;
const WALK: usize = FIELDS + offsetof<ConvolveWeights>();
/** Eight sums for the last pair, where it is alone. */
const SPARE: usize = WALK + offsetof<Walk>();
const TAPS: usize = SPARE + SUMS_BYTES;

/** Block: source, gradient, {@link ConvolveWeights}, a {@link Walk}, eight float64, byte offsets of taps, their indices in the kernel. */
export function convolveWeights(block: usize): void {
  const gradient = viewOf(block, 1);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const pairs = viewOf(block, 0).channels * fields.tapCount;
  prepareWalk(block);
  for (let channel: usize = 0; channel < gradient.channels; channel += 4) {
    memory.fill(fields.scratch, 0, pairs << 5);
    walkChunks(block, channel);
    storeSums(block, channel);
  }
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

/** Rows are counted through all samples; rows of more than 512 pixels are cut into chunks of their own. */
function walkChunks(block: usize, channel: usize): void {
  const gradient = viewOf(block, 1);
  const walk = changetype<Walk>(block + WALK);
  const vectors = (gradient.columns + 3) >> 2;
  const rows = gradient.samples * gradient.rows;
  if (vectors == 0) return;
  const chunkRows = max(CHUNK_VECTORS / vectors, 1);
  for (let row: usize = 0; row < rows; row += chunkRows) {
    const n = row / gradient.rows;
    walk.y = row % gradient.rows;
    walk.rows = min(chunkRows, rows - row);
    for (let v: usize = 0; v < vectors; v += CHUNK_VECTORS) {
      walk.vectors = min(vectors - v, CHUNK_VECTORS);
      chunk(block, channel, rowOf(gradient, n, channel, walk.y) + (v << 4), rowOf(viewOf(block, 0), n, 0, walk.y) + (v << 4));
    }
  }
}

/** Adds one chunk to the sums of all pairs. Missing gradient planes and pairs are stood in for by the last one. */
function chunk(block: usize, channel: usize, a: usize, b: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const walk = changetype<Walk>(block + WALK);
  const tapsEnd = block + TAPS + (fields.tapCount << 2);
  const planes = gradient.channels - channel - 1;
  const a1 = a + min<usize>(planes, 1) * gradient.plane;
  const a2 = a + min<usize>(planes, 2) * gradient.plane;
  const a3 = a + min<usize>(planes, 3) * gradient.plane;
  let tap = block + TAPS;
  let sums = fields.scratch;
  for (let left = source.channels * fields.tapCount; left != 0; ) {
    const b0 = b + load<usize>(tap);
    tap += 4;
    if (tap == tapsEnd) {
      tap = block + TAPS;
      b += source.plane;
    }
    const b1 = left > 1 ? b + load<usize>(tap) : b0;
    tap += 4;
    if (tap == tapsEnd) {
      tap = block + TAPS;
      b += source.plane;
    }
    if (left > 1) {
      dots(a, a1, a2, a3, b0, b1, walk, sums);
      sums += SUMS_BYTES;
      left -= 2;
    } else {
      // The sums of the second pair, which is not there, stay in the spare ones.
      memory.copy(block + SPARE, sums, SUMS_BYTES / 2);
      dots(a, a1, a2, a3, b0, b0, walk, block + SPARE);
      memory.copy(sums, block + SPARE, SUMS_BYTES / 2);
      left = 0;
    }
  }
}

/** Rounds the sums of up to four output channels to float32, each to its place in the kernel. */
function storeSums(block: usize, channel: usize): void {
  const inputs = viewOf(block, 0).channels;
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const indices = block + TAPS + (fields.tapCount << 2);
  const rows = min<usize>(viewOf(block, 1).channels - channel, 4);
  for (let row: usize = 0; row < rows; row++) {
    let sum = fields.scratch + (row << 3);
    for (let input: usize = 0; input < inputs; input++) {
      const kernel = ((channel + row) * inputs + input) * fields.kernelTaps;
      for (let t: usize = 0; t < fields.tapCount; t++, sum += 32) {
        const index = kernel + load<usize>(indices + (t << 2));
        store<f32>(fields.target + (index << 2), <f32>load<f64>(sum));
      }
    }
  }
}
