/**
 * Arranging convolution weights in blocks of rows, so that a tile reads them one after the other. Where the weights of several taps (or
 * columns) of a row lie side by side, one way or the other, four of each row are transposed at a time.
 */

import { blockRows } from './convolve-block';

@unmanaged
class PackWeights {
  weights: usize;
  packed: usize;
  rows: usize;
  columns: usize;
  /** Bytes between rows and between columns of the weights. */
  rowStride: usize;
  columnStride: usize;
  tapCount: usize;
}

/** Columns of which all rows are packed before the next ones, where rows lie closer together than columns: what was read stays in the cache. */
const STRIP_COLUMNS: usize = 16;

/** Block: {@link PackWeights}, then the byte offset of each tap inside one kernel. Rows beyond the last are zeros. */
export function packWeights(block: usize): void {
  const fields = changetype<PackWeights>(block);
  const strip = fields.rowStride < fields.columnStride ? STRIP_COLUMNS : fields.columns;
  for (let column: usize = 0; column < fields.columns; column += strip) {
    const end = min(column + strip, fields.columns);
    for (let row: usize = 0; row < fields.rows; ) {
      const left = fields.rows - row;
      const rows = blockRows(row, left);
      packBlock(block, row, rows, left, column, end);
      row += rows;
    }
  }
}

/** Packs some columns of one block of rows, of which `left` exist. */
function packBlock(block: usize, row: usize, rows: usize, left: usize, column: usize, end: usize): void {
  const fields = changetype<PackWeights>(block);
  const taps = block + offsetof<PackWeights>();
  const direction = directionOf(taps, fields.tapCount);
  const joined = direction == 4 && fields.columnStride == fields.tapCount << 2;
  const length = (joined ? end - column : 1) * fields.tapCount;
  const first = fields.weights + row * fields.rowStride + column * fields.columnStride;
  const to = fields.packed + (row * fields.columns + column * rows) * (fields.tapCount << 2);
  if (left < rows || direction == 0 || length < 4) {
    packColumns(block, first, to, rows, left, end - column);
    return;
  }
  const runs: usize = joined ? 1 : end - column;
  for (let run: usize = 0; run < runs; run++) {
    const from = first + run * fields.columnStride + load<usize>(taps);
    packRun(from, fields.rowStride, to + run * length * (rows << 2), rows, length, direction);
  }
}

/** Bytes from each tap to the next one where they are 4 or -4, else 0. */
function directionOf(taps: usize, count: usize): isize {
  const direction: isize = count == 1 ? 4 : <isize>(load<usize>(taps, 4) - load<usize>(taps));
  if (direction != 4 && direction != -4) return 0;
  for (let t: usize = 1; t < count; t++) {
    const at = taps + (t << 2);
    if (load<usize>(at) - load<usize>(at - 4) != <usize>direction) return 0;
  }
  return direction;
}

/** Packs four weights of each row at a time, `direction` bytes apart; the last four overlap those before them. */
function packRun(from: usize, stride: usize, to: usize, rows: usize, length: usize, direction: isize): void {
  const step = rows << 2;
  const backwards = direction < 0;
  for (let i: usize = 0; i < length; i += 4) {
    const at = min(i, length - 4);
    const source = backwards ? from - ((at + 3) << 2) : from + (at << 2);
    const target = to + (backwards ? at + 3 : at) * step;
    const advance: usize = backwards ? 0 - step : step;
    transposeFour(source, stride, target, advance);
    if (rows == 6) transposeTwo(source + 4 * stride, stride, target + 16, advance);
  }
}

/** Four weights of four rows. */
@inline
function transposeFour(from: usize, stride: usize, to: usize, advance: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stride);
  const c = v128.load(from + 2 * stride);
  const d = v128.load(from + 3 * stride);
  const low = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const high = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const nextLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const nextHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(low, nextLow, 0, 2));
  v128.store(to + advance, v128.shuffle<i64>(low, nextLow, 1, 3));
  v128.store(to + 2 * advance, v128.shuffle<i64>(high, nextHigh, 0, 2));
  v128.store(to + 3 * advance, v128.shuffle<i64>(high, nextHigh, 1, 3));
}

/** Four weights of two rows. */
@inline
function transposeTwo(from: usize, stride: usize, to: usize, advance: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stride);
  const low = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const high = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  v128.store_lane<i64>(to, low, 0);
  v128.store_lane<i64>(to + advance, low, 1);
  v128.store_lane<i64>(to + 2 * advance, high, 0);
  v128.store_lane<i64>(to + 3 * advance, high, 1);
}

/** The same weight by weight. */
function packColumns(block: usize, first: usize, to: usize, rows: usize, left: usize, columns: usize): void {
  const fields = changetype<PackWeights>(block);
  const taps = block + offsetof<PackWeights>();
  const tapsEnd = taps + (fields.tapCount << 2);
  const stride = fields.rowStride;
  for (let column: usize = 0; column < columns; column++) {
    const kernel = first + column * fields.columnStride;
    for (let tap = taps; tap < tapsEnd; tap += 4, to += rows << 2) {
      const from = kernel + load<usize>(tap);
      if (left < rows) packSome(from, stride, to, left, rows);
      else if (stride == 4) packBeside(from, to, rows);
      else {
        packTwo(from, stride, to);
        packTwo(from + 2 * stride, stride, to + 8);
        if (rows == 6) packTwo(from + 4 * stride, stride, to + 16);
      }
    }
  }
}

@inline
function packTwo(from: usize, stride: usize, to: usize): void {
  store<f32>(to, load<f32>(from));
  store<f32>(to, load<f32>(from + stride), 4);
}

/** Rows that lie side by side. */
@inline
function packBeside(from: usize, to: usize, rows: usize): void {
  v128.store(to, v128.load(from));
  if (rows == 6) store<u64>(to + 16, load<u64>(from + 16));
}

function packSome(from: usize, stride: usize, to: usize, left: usize, rows: usize): void {
  for (let lane: usize = 0; lane < rows; lane++) {
    store<f32>(to + (lane << 2), lane < left ? load<f32>(from + lane * stride) : 0);
  }
}
