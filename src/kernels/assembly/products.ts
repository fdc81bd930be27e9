/** Matrix products: rows of packed weights times columns that lie side by side, in multiples of eight. */

import { blockRows } from './convolve-block';
import { product4x16, product4x8, product6x16, product6x8 } from './generated/products';

/** Factors and target of a product. */
@unmanaged
export class Product {
  /** Weights in blocks of rows, as `packWeights` leaves those of one tap. */
  weights: usize;
  rows: usize;
  terms: usize;
  /** Columns of each term, and bytes to those of the next one. */
  values: usize;
  valueStep: usize;
  columns: usize;
  /** Columns that are multiplied with all rows before the next ones, so that they stay in the first cache. */
  panel: usize;
  /** Room for a multiple of four rows, and bytes between them. */
  target: usize;
  targetStep: usize;
  /** 1 where the engine makes one register of two vectors side by side, else 0. */
  wide: u32;
}

/** target = weights · values. */
export function multiply(product: Product): void {
  for (let column: usize = 0; column < product.columns; column += product.panel) {
    const count = min(product.columns - column, product.panel);
    const values = product.values + (column << 2);
    let w = product.weights;
    let target = product.target + (column << 2);
    for (let row: usize = 0; row < product.rows; ) {
      const rows = blockRows(row, product.rows - row);
      const end = w + ((product.terms * rows) << 2);
      multiplyBlock(product, w, end, rows, values, target, count);
      w = end;
      target += rows * product.targetStep;
      row += rows;
    }
  }
}

function multiplyBlock(product: Product, w: usize, end: usize, rows: usize, values: usize, target: usize, count: usize): void {
  const step = product.valueStep;
  const to = product.targetStep;
  const wide = product.wide ? count >> 4 : 0;
  const left = (count >> 3) - 2 * wide;
  const skip = wide << 6;
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (rows == 6) {
      if (wide) product6x16(w, end, values, step, target, to, wide);
      if (left) product6x8(w, end, values + skip, step, target + skip, to, left);
      return;
    }
  }
  if (wide) product4x16(w, end, values, step, target, to, wide);
  if (left) product4x8(w, end, values + skip, step, target + skip, to, left);
}
