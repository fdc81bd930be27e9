/**
 * Winograd's F(4x4, 3x3), output: the 36 products of each tile become 4x4 outputs Aᵀ m A, with bias and activation. A stretch of one row
 * of tiles at a time: Aᵀ over the rows of products, then over their columns, then the four columns of outputs side by side.
 */

import { outputs4, outputs8 } from './generated/winograd';
import { activate } from './vector';
import { View, rowOf } from './view';
import { QUARTER, Tiles, stretchOf } from './winograd-input';

/** What is added to each channel and how it is activated. */
@unmanaged
export class Epilogue {
  /** Address of one float per channel, or 0. */
  bias: usize;
  slope: f32;
}

/** Writes channels first to last of `target` from the products at `from`, whose frequencies are `frequency` bytes apart. */
export function transformOutput(target: View, tiles: Tiles, from: usize, frequency: usize, first: usize, last: usize, epilogue: Epilogue): void {
  const across = (tiles.width + 3) >> 2;
  const down = (tiles.height + 3) >> 2;
  for (let done: usize = 0; done < tiles.count; ) {
    const row = (tiles.first + done) / across;
    const column = (tiles.first + done) % across;
    const count = stretchOf(tiles, column, done);
    const rows = min(tiles.height - ((row % down) << 2), 4);
    const columns = min(tiles.width - (column << 2), count << 2);
    let at = from + (done << 2);
    for (let channel = first; channel < last; channel++, at += tiles.row) {
      transformRows(tiles, at, frequency, count);
      const bias: f32 = epilogue.bias == 0 ? 0 : load<f32>(epilogue.bias + (channel << 2));
      const to = rowOf(target, row / down, channel, (row % down) << 2) + (column << 4);
      storeRows(tiles.scratch + 24 * QUARTER, rows, columns, to, target.row, bias, epilogue.slope);
    }
    done += count;
  }
}

/** Products to 4x4 rows: output row r, every fourth column from c on, at number r * 4 + c behind the working memory of the first step. */
function transformRows(tiles: Tiles, from: usize, frequency: usize, count: usize): void {
  const vectors = (count + 3) >> 2;
  const pairs = tiles.wide ? vectors >> 1 : 0;
  const left = vectors - 2 * pairs;
  const skip = pairs << 5;
  const middle = tiles.scratch;
  const to = middle + 24 * QUARTER;
  if (pairs) {
    outputs8(from, 6 * frequency, middle, 6 * QUARTER, pairs, 6, frequency, QUARTER);
    outputs8(middle, QUARTER, to, QUARTER, pairs, 4, 6 * QUARTER, 4 * QUARTER);
  }
  if (left) {
    outputs4(from + skip, 6 * frequency, middle + skip, 6 * QUARTER, left, 6, frequency, QUARTER);
    outputs4(middle + skip, QUARTER, to + skip, QUARTER, left, 4, 6 * QUARTER, 4 * QUARTER);
  }
}

/** Stores `rows` rows of `columns` outputs each. */
function storeRows(from: usize, rows: usize, columns: usize, to: usize, step: usize, bias: f32, slope: f32): void {
  const add = f32x4.splat(bias);
  const whole = columns & ~15;
  for (; rows != 0; rows--, from += 4 * QUARTER, to += step) {
    let x: usize = 0;
    for (; x < whole; x += 16) storeFour(from + x, to + (x << 2), add, slope);
    if (x < columns) storeSome(from + x, columns - x, to + (x << 2), add, slope);
  }
}

/** Four tiles: their columns, which lie in rows of their own, to sixteen outputs side by side. */
@inline
function storeFour(from: usize, to: usize, bias: v128, slope: f32): void {
  const a = v128.load(from);
  const b = v128.load(from + QUARTER);
  const c = v128.load(from + 2 * QUARTER);
  const d = v128.load(from + 3 * QUARTER);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, activate(f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), bias), slope));
  v128.store(to, activate(f32x4.add(v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), bias), slope), 16);
  v128.store(to, activate(f32x4.add(v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), bias), slope), 32);
  v128.store(to, activate(f32x4.add(v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), bias), slope), 48);
}

/** The first `columns` outputs of four tiles; these lie in the unused end of the rows they come from. */
function storeSome(from: usize, columns: usize, to: usize, bias: v128, slope: f32): void {
  for (let x: usize = 0; x < columns; x++) {
    const value = f32x4.add(v128.load32_splat(from + (x & 3) * QUARTER + (x & ~3)), bias);
    store<f32>(to + (x << 2), f32x4.extract_lane(activate(value, slope), 0));
  }
}
