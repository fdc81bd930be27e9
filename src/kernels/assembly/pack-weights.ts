/** Arranging convolution weights in blocks of rows, so that a tile reads them one after the other. */

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

/** Block: {@link PackWeights}, then the byte offset of each tap inside one kernel. Rows beyond the last are zeros. */
export function packWeights(block: usize): void {
  const fields = changetype<PackWeights>(block);
  const taps = block + offsetof<PackWeights>();
  const tapsEnd = taps + (fields.tapCount << 2);
  let to = fields.packed;
  for (let row: usize = 0; row < fields.rows; ) {
    const first = fields.weights + row * fields.rowStride;
    const left = fields.rows - row;
    const rows = blockRows(row, left);
    for (let column: usize = 0; column < fields.columns; column++) {
      const kernel = first + column * fields.columnStride;
      for (let tap = taps; tap < tapsEnd; tap += 4, to += rows << 2) {
        const from = kernel + load<usize>(tap);
        if (left < rows) packSome(from, fields.rowStride, to, left, rows);
        else {
          packLanes(from, fields.rowStride, to);
          if (rows == 6) packTwo(from + 4 * fields.rowStride, fields.rowStride, to + 16);
        }
      }
    }
    row += rows;
  }
}

function packLanes(from: usize, stride: usize, to: usize): void {
  packTwo(from, stride, to);
  packTwo(from + 2 * stride, stride, to + 8);
}

function packTwo(from: usize, stride: usize, to: usize): void {
  store<f32>(to, load<f32>(from));
  store<f32>(to, load<f32>(from + stride), 4);
}

function packSome(from: usize, stride: usize, to: usize, left: usize, rows: usize): void {
  for (let lane: usize = 0; lane < rows; lane++) {
    store<f32>(to + (lane << 2), lane < left ? load<f32>(from + lane * stride) : 0);
  }
}
