/**
 * Weight gradient of a 3x3 convolution by the adjoint of Winograd's F(4x4, 3x3): dW = Gᵀ (Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ d B)) G. Some input
 * channels and a block of tiles at a time: their values are transformed once; then, sixteen output channels at a time, the gradients are, and
 * 36 matrix products add to the sums. Behind the last block of tiles sums become weights. Every sum runs over blocks of tiles that the
 * shape of the gradient alone decides.
 */

import { pairs4x16, pairs4x8, pairs6x16, pairs6x8 } from './generated/pairs';
import { VIEW_BYTES, View, viewOf } from './view';
import { GROUP, GROUP_BYTES, transformGradient } from './winograd-gradient';
import { Tiles, transformInput } from './winograd-input';
import { Pairs, storeTaps } from './winograd-taps';

@unmanaged
class ConvolveWinogradWeights {
  target: usize;
  /** Input channels at a time. */
  inputs: usize;
  /** Tiles of a block at most, and of all samples. */
  tiles: usize;
  tileCount: usize;
  /** Values of the input. */
  values: usize;
  /** Values of the gradient, and bytes between their frequencies. */
  gradients: usize;
  gradientFrequency: usize;
  /** Sums of {@link GROUP} output channels where all tiles are in one block, else of all, and bytes between their frequencies. */
  sums: usize;
  sumFrequency: usize;
}

const FIELDS: usize = 2 * VIEW_BYTES;
const TILES: usize = FIELDS + offsetof<ConvolveWinogradWeights>();

/** Working memory inside the block: the input channels at a time, and what becomes of their sums. */
const SOURCE: usize = TILES + offsetof<Tiles>();
const PAIRS: usize = SOURCE + VIEW_BYTES;

/** Block: source, gradient, {@link ConvolveWinogradWeights}, {@link Tiles}, room for a view and {@link Pairs}. */
export function convolveWinogradWeights(block: usize): void {
  const fields = changetype<ConvolveWinogradWeights>(block + FIELDS);
  const source = viewOf(block, 0);
  const some = changetype<View>(block + SOURCE);
  memory.copy(block + SOURCE, block, VIEW_BYTES);
  for (let input: usize = 0; input < source.channels; input += fields.inputs) {
    some.offset = source.offset + input * source.plane;
    some.channels = min(source.channels - input, fields.inputs);
    for (let first: usize = 0; first < fields.tileCount; first += fields.tiles) addTiles(block, input, first);
  }
}

/** Adds the block of tiles that begins with number `first` to the sums of some input channels, from `input` on, with all output channels. */
function addTiles(block: usize, input: usize, first: usize): void {
  const fields = changetype<ConvolveWinogradWeights>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  const channels = viewOf(block, 1).channels;
  const sumBytes: usize = 36 * fields.sumFrequency;
  const alone = fields.tileCount <= fields.tiles;
  let sums = fields.sums;
  tiles.first = first;
  tiles.count = min(fields.tileCount - first, fields.tiles);
  transformInput(changetype<View>(block + SOURCE), tiles, fields.values);
  for (let output: usize = 0; output < channels; output += GROUP) {
    if (first == 0) memory.fill(sums, 0, sumBytes);
    addOutputs(block, output, sums);
    if (first + tiles.count == fields.tileCount) storeOutputs(block, input, output, sums);
    if (!alone) sums += sumBytes;
  }
}

/** The same for the group of output channels that begins with `output`. */
function addOutputs(block: usize, output: usize, sums: usize): void {
  const fields = changetype<ConvolveWinogradWeights>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  const inputs = changetype<View>(block + SOURCE).channels;
  let values = fields.values;
  let gradients = fields.gradients;
  transformGradient(viewOf(block, 1), tiles, output, gradients, fields.gradientFrequency);
  for (let frequency = 0; frequency < 36; frequency++) {
    multiply(values, tiles, inputs, gradients, sums);
    values += tiles.frequency;
    gradients += fields.gradientFrequency;
    sums += fields.sumFrequency;
  }
}

/** The products of one frequency: input channels by sixes and fours, the last ones perhaps with some that do not exist. */
function multiply(values: usize, tiles: Tiles, inputs: usize, gradients: usize, sums: usize): void {
  for (let input: usize = 0; input < inputs; ) {
    const left = inputs - input;
    const together: usize = ASC_FEATURE_RELAXED_SIMD && (left >= 9 || left == 6 || left == 5) ? 6 : 4;
    if (tiles.wide) {
      if (together == 6) pairs6x16(values, tiles.row, gradients, tiles.count, sums);
      else pairs4x16(values, tiles.row, gradients, tiles.count, sums);
    } else {
      multiplyNarrow(together, values, tiles, gradients, sums);
      multiplyNarrow(together, values, tiles, gradients + GROUP_BYTES / 2, sums + GROUP_BYTES / 2);
    }
    input += together;
    values += together * tiles.row;
    sums += together * GROUP_BYTES;
  }
}

function multiplyNarrow(together: usize, values: usize, tiles: Tiles, gradients: usize, sums: usize): void {
  if (together == 6) pairs6x8(values, tiles.row, gradients, tiles.count, sums);
  else pairs4x8(values, tiles.row, gradients, tiles.count, sums);
}

/** Turns the sums of a group of output channels into gradients of weights. */
function storeOutputs(block: usize, input: usize, output: usize, sums: usize): void {
  const fields = changetype<ConvolveWinogradWeights>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  const pairs = changetype<Pairs>(block + PAIRS);
  pairs.sums = sums;
  pairs.frequency = fields.sumFrequency;
  pairs.inputs = changetype<View>(block + SOURCE).channels;
  pairs.outputs = min(viewOf(block, 1).channels - output, GROUP);
  pairs.row = viewOf(block, 0).channels * 36;
  pairs.target = fields.target + output * pairs.row + input * 36;
  pairs.scratch = tiles.scratch;
  pairs.wide = tiles.wide;
  storeTaps(pairs);
}
