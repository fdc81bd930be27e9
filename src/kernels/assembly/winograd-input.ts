/**
 * Winograd's F(4x4, 3x3), input: the 6x6 pixels that each tile of 4x4 outputs looks at become 36 values Bᵀ d B. For each of the 36
 * frequencies that is a matrix of channels times tiles:
 *
 *     frequency 0:  channel 0:  tile 0, 1, 2, ...  zeros    Tiles are counted along rows, through all samples. At least
 *                   channel 1:  ...                         eight zeros follow, or what the next block of tiles wrote.
 *
 * A stretch of one row of tiles at a time: Bᵀ down the columns, then every fourth pixel side by side, then Bᵀ along the rows. Pixels
 * beyond those that the outputs look at count as zeros and are not read.
 */

import { inputColumns4, inputColumns8, inputRows4, inputRows8 } from './generated/winograd';
import { View, rowOf } from './view';

/** A block of tiles, and how their values lie. */
@unmanaged
export class Tiles {
  /** Rows and columns of outputs of a sample. */
  height: usize;
  width: usize;
  /** Number of the first tile, and how many they are. */
  first: usize;
  count: usize;
  /** Bytes between channels: room for the tiles and eight more. */
  row: usize;
  /** Bytes between frequencies. */
  frequency: usize;
  /** Working memory of {@link TRANSFORM_BYTES}. */
  scratch: usize;
  /** 1 where the engine makes one register of two vectors side by side, else 0. */
  wide: u32;
}

/** Tiles of a stretch at most, and bytes of a row of their pixels: theirs, two of the next tile, and whole vectors. */
const STRETCH: usize = 32;
const PIXELS: usize = (4 * STRETCH + 8) << 2;

/** Bytes of every fourth pixel of a row: one of each tile, and of the next tile's. */
export const QUARTER: usize = (STRETCH + 8) << 2;

/** Working memory: six rows of pixels, six of columns that are transformed, and the quarters of these. */
export const TRANSFORM_BYTES: usize = 12 * PIXELS + 24 * QUARTER;

/** Writes the values of a block of tiles of all channels of `source`, whose first pixel is what tap (0, 0) of the first output reads. */
export function transformInput(source: View, tiles: Tiles, to: usize): void {
  const across = (tiles.width + 3) >> 2;
  const down = (tiles.height + 3) >> 2;
  for (let done: usize = 0; done < tiles.count; ) {
    const row = (tiles.first + done) / across;
    const column = (tiles.first + done) % across;
    const length = stretchOf(tiles, column, done);
    stretch(source, tiles, row / down, row % down, column, length, to + (done << 2));
    done += length;
  }
  if (tiles.count & 7) clearBehind(source.channels, tiles, to + (tiles.count << 2));
}

/** Tiles of the stretch that begins in column `column` of its row when `done` tiles of the block are done. */
export function stretchOf(tiles: Tiles, column: usize, done: usize): usize {
  return min(min(((tiles.width + 3) >> 2) - column, tiles.count - done), STRETCH);
}

/** Tiles of row `row`, `count` of them from `column` on. */
function stretch(source: View, tiles: Tiles, n: usize, row: usize, column: usize, count: usize, to: usize): void {
  const pixels = (count << 2) + 2;
  const rows = min(tiles.height + 2 - (row << 2), 6);
  const columns = min(tiles.width + 2 - (column << 2), pixels);
  const inside = rows == 6 && columns == pixels;
  const copied = tiles.scratch;
  const transformed = copied + 6 * PIXELS;
  memory.fill(copied, 0, 12 * PIXELS);
  for (let channel: usize = 0; channel < source.channels; channel++, to += tiles.row) {
    const from = rowOf(source, n, channel, row << 2) + (column << 4);
    if (!inside) copyRows(from, source.row, rows, columns, copied);
    columnsOf(inside ? from : copied, inside ? source.row : PIXELS, pixels, transformed, tiles.wide);
    rowsOf(transformed, tiles, count, to);
  }
}

function copyRows(from: usize, step: usize, rows: usize, columns: usize, to: usize): void {
  const vectors = columns & ~3;
  for (; rows != 0; rows--, from += step, to += PIXELS) {
    let x: usize = 0;
    for (; x < vectors; x += 4) v128.store(to + (x << 2), v128.load(from + (x << 2)));
    for (; x < columns; x++) store<f32>(to + (x << 2), load<f32>(from + (x << 2)));
  }
}

/** Bᵀ down the columns. The last vector overlaps the one before it, so that nothing beyond the last pixel is read. */
function columnsOf(from: usize, step: usize, pixels: usize, to: usize, wide: u32): void {
  const last = (pixels - 4) << 2;
  const pairs = wide ? (last + 16) >> 5 : 0;
  const x = pairs << 5;
  if (pairs) inputColumns8(from, step, to, PIXELS, pairs, 1, 0, 0);
  if (x < last) inputColumns4(from + x, step, to + x, PIXELS, (last - x + 15) >> 4, 1, 0, 0);
  inputColumns4(from + last, step, to + last, PIXELS, 1, 1, 0, 0);
}

/** Bᵀ along the six rows, tiles side by side. */
function rowsOf(from: usize, tiles: Tiles, count: usize, to: usize): void {
  const vectors = (count + 3) >> 2;
  const pairs = tiles.wide ? vectors >> 1 : 0;
  const left = vectors - 2 * pairs;
  const skip = pairs << 5;
  const quarters = from + 6 * PIXELS;
  const step = tiles.frequency;
  for (let i: usize = 0; i < 6; i++) quarter(from + i * PIXELS, quarters + 4 * i * QUARTER, vectors << 4);
  if (pairs) inputRows8(quarters, QUARTER, to, step, pairs, 6, 4 * QUARTER, 6 * step);
  if (left) inputRows4(quarters + skip, QUARTER, to + skip, step, left, 6, 4 * QUARTER, 6 * step);
}

/** Sorts a row of pixels: those of number 0, 4, 8, ... in the first row, 1, 5, 9, ... in the second one, and so on. */
function quarter(from: usize, to: usize, bytes: usize): void {
  for (const end = to + bytes; to != end; to += 16, from += 64) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(to + QUARTER, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
    v128.store(to + 2 * QUARTER, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5));
    v128.store(to + 3 * QUARTER, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7));
  }
  store<f32>(to, load<f32>(from));
  store<f32>(to + QUARTER, load<f32>(from, 4));
}

/** Zeros after the tiles of each row, so that what reads whole vectors of eight finds nothing else. */
function clearBehind(channels: usize, tiles: Tiles, to: usize): void {
  const zero = f32x4.splat(0);
  for (let frequency: usize = 0; frequency < 36; frequency++, to += tiles.frequency) {
    let at = to;
    for (let channel: usize = 0; channel < channels; channel++, at += tiles.row) {
      v128.store(at, zero);
      v128.store(at, zero, 16);
    }
  }
}
