/** Winograd's F(4x4, 3x3), weights: G g Gᵀ of each kernel, 36 values, each packed in a matrix of its own as `packWeights` packs one tap. */

import { blockRows } from './convolve-block';
import { kernelsColumns, kernelsColumnsMirrored, kernelsRows, kernelsRowsMirrored } from './generated/winograd';

@unmanaged
class TransformWeights {
  weights: usize;
  packed: usize;
  /** Bytes between the matrices of frequencies. */
  frequency: usize;
  rows: usize;
  columns: usize;
  /** Bytes between rows and between columns of the weights. */
  rowStride: usize;
  columnStride: usize;
  /** 1 where the taps of each kernel are read from the last one to the first, else 0. */
  mirrored: u32;
}

/** Block: {@link TransformWeights}. Of a block of rows the first four go one column at a time, the last two in pairs of columns. */
export function transformWeights(block: usize): void {
  const fields = changetype<TransformWeights>(block);
  let to = fields.packed;
  for (let row: usize = 0; row < fields.rows; ) {
    const rows = blockRows(row, fields.rows - row);
    fourRows(fields, row, rows, to);
    if (rows == 6) twoRows(fields, row + 4, to + 16);
    to += (rows * fields.columns) << 2;
    row += rows;
  }
}

/** Address of a row's first kernel; the last row stands in for those beyond it. */
function rowAt(fields: TransformWeights, row: usize): usize {
  return fields.weights + min(row, fields.rows - 1) * fields.rowStride;
}

function fourRows(fields: TransformWeights, row: usize, rows: usize, to: usize): void {
  const p0 = rowAt(fields, row);
  const p1 = rowAt(fields, row + 1);
  const p2 = rowAt(fields, row + 2);
  const p3 = rowAt(fields, row + 3);
  const next = rows << 2;
  if (fields.mirrored) kernelsRowsMirrored(p0, p1, p2, p3, fields.columnStride, to, fields.frequency, next, fields.columns);
  else kernelsRows(p0, p1, p2, p3, fields.columnStride, to, fields.frequency, next, fields.columns);
}

/** A column that is left alone makes both columns of its pair. */
function twoRows(fields: TransformWeights, row: usize, to: usize): void {
  const pairs = fields.columns >> 1;
  columnPairs(fields, row, 0, fields.columnStride, to, 24, pairs);
  if (fields.columns & 1) columnPairs(fields, row, 2 * pairs, 0, to + pairs * 48, 0, 1);
}

function columnPairs(fields: TransformWeights, row: usize, column: usize, step: usize, to: usize, next: usize, count: usize): void {
  const p0 = rowAt(fields, row) + column * fields.columnStride;
  const p1 = rowAt(fields, row + 1) + column * fields.columnStride;
  if (fields.mirrored) kernelsColumnsMirrored(p0, p1, p0 + step, p1 + step, 2 * step, to, fields.frequency, next, count);
  else kernelsColumns(p0, p1, p0 + step, p1 + step, 2 * step, to, fields.frequency, next, count);
}
