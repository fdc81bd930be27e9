/** Arranging convolution weights in blocks of four rows, so that a tile reads them one after the other. */

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
  for (let row: usize = 0; row < fields.rows; row += 4) {
    const first = fields.weights + row * fields.rowStride;
    const whole = row + 4 <= fields.rows;
    for (let column: usize = 0; column < fields.columns; column++) {
      const kernel = first + column * fields.columnStride;
      for (let tap = taps; tap < tapsEnd; tap += 4, to += 16) {
        const from = kernel + load<usize>(tap);
        if (whole) packLanes(from, fields.rowStride, to);
        else packSome(from, fields.rowStride, to, fields.rows - row);
      }
    }
  }
}

function packLanes(from: usize, stride: usize, to: usize): void {
  store<f32>(to, load<f32>(from));
  store<f32>(to, load<f32>(from + stride), 4);
  store<f32>(to, load<f32>(from + 2 * stride), 8);
  store<f32>(to, load<f32>(from + 3 * stride), 12);
}

function packSome(from: usize, stride: usize, to: usize, rows: usize): void {
  for (let lane: usize = 0; lane < 4; lane++) {
    store<f32>(to + (lane << 2), lane < rows ? load<f32>(from + lane * stride) : 0);
  }
}
