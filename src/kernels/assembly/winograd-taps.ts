/**
 * Winograd's F(4x4, 3x3), gradient of weights: the 36 sums u of each pair of channels become the gradients Gᵀ u G of nine taps. Sums of a
 * frequency are a matrix of input channels times sixteen output channels.
 */

import { tapSums4, tapSums8 } from './generated/winograd-gradient';
import { GROUP, GROUP_BYTES } from './winograd-gradient';

/** Input channels at a time, and bytes of one tap of them. */
const INPUTS: usize = 4;
const TAP_BYTES: usize = INPUTS * GROUP_BYTES;

/** Sums of some input channels with sixteen output channels, and where the gradients of their taps go. */
@unmanaged
export class Pairs {
  /** Overwritten. */
  sums: usize;
  /** Bytes between frequencies. */
  frequency: usize;
  inputs: usize;
  /** Output channels that there are, sixteen at most. */
  outputs: usize;
  /** Nine floats of the first pair, those of the next input channel right behind, those of the next output channel `row` bytes further. */
  target: usize;
  row: usize;
  /** Working memory of nine {@link TAP_BYTES}. */
  scratch: usize;
  /** 1 where the engine makes one register of two vectors side by side, else 0. */
  wide: u32;
}

/** Stores the gradients of all taps. */
export function storeTaps(pairs: Pairs): void {
  for (let input: usize = 0; input < pairs.inputs; input += INPUTS) {
    const count = min(pairs.inputs - input, INPUTS);
    transform(pairs, pairs.sums + input * GROUP_BYTES, count * GROUP_BYTES);
    for (let i: usize = 0; i < count; i++) {
      storeInput(pairs, pairs.scratch + i * GROUP_BYTES, pairs.target + (input + i) * 36);
    }
  }
}

/** Gᵀ down the columns, in place, then along the rows: nine taps one behind the other. */
function transform(pairs: Pairs, sums: usize, bytes: usize): void {
  const step = pairs.frequency;
  for (let j: usize = 0; j < 6; j++) {
    const column = sums + j * step;
    if (pairs.wide) tapSums8(column, 6 * step, column, 6 * step, bytes);
    else tapSums4(column, 6 * step, column, 6 * step, bytes);
  }
  for (let r: usize = 0; r < 3; r++) {
    const row = sums + 6 * r * step;
    const to = pairs.scratch + 3 * r * TAP_BYTES;
    if (pairs.wide) tapSums8(row, step, to, TAP_BYTES, bytes);
    else tapSums4(row, step, to, TAP_BYTES, bytes);
  }
}

/** One input channel: nine floats for each output channel. */
function storeInput(pairs: Pairs, from: usize, to: usize): void {
  const whole = pairs.outputs & ~3;
  for (let output: usize = 0; output < whole; output += 4, from += 16, to += 4 * pairs.row) {
    storeFour(from, to, pairs.row);
    storeFour(from + 4 * TAP_BYTES, to + 16, pairs.row);
    const last = v128.load(from, 8 * TAP_BYTES);
    v128.store_lane<f32>(to, last, 0, 32);
    v128.store_lane<f32>(to + pairs.row, last, 1, 32);
    v128.store_lane<f32>(to + 2 * pairs.row, last, 2, 32);
    v128.store_lane<f32>(to + 3 * pairs.row, last, 3, 32);
  }
  for (let output = whole; output < pairs.outputs; output++, from += 4, to += pairs.row) {
    for (let tap: usize = 0; tap < 9; tap++) store<f32>(to + (tap << 2), load<f32>(from + tap * TAP_BYTES));
  }
}

/** Four taps of four output channels. */
@inline
function storeFour(from: usize, to: usize, row: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, TAP_BYTES);
  const c = v128.load(from, 2 * TAP_BYTES);
  const d = v128.load(from, 3 * TAP_BYTES);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + row, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * row, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5));
  v128.store(to + 3 * row, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7));
}
