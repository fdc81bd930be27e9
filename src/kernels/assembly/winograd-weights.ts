/** Winograd's F(4x4, 3x3), weights: G g Gᵀ of each kernel, 36 values, each packed in a matrix of its own as the tiles of `convolve` read it. */

import { blockRows } from './convolve-block';
import { kernels2, kernels4 } from './generated/winograd';

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
}

const TAPS: usize = offsetof<TransformWeights>();

/** Nine vectors of working memory, behind the byte offset of each of the nine taps inside one kernel. */
const GATHERED: usize = TAPS + 9 * 4;

/** Block: {@link TransformWeights}, tap offsets, working memory. Rows beyond the last are zeros. */
export function transformWeights(block: usize): void {
  const fields = changetype<TransformWeights>(block);
  let to = fields.packed;
  for (let row: usize = 0; row < fields.rows; ) {
    const left = fields.rows - row;
    const rows = blockRows(row, left);
    let from = fields.weights + row * fields.rowStride;
    for (let column: usize = 0; column < fields.columns; column++, from += fields.columnStride, to += rows << 2) {
      gather(block, from, min(left, 4));
      kernels4(block + GATHERED, to, fields.frequency);
      if (rows == 6) {
        gather(block, from + 4 * fields.rowStride, min(left - 4, 2));
        kernels2(block + GATHERED, to + 16, fields.frequency);
      }
    }
    row += rows;
  }
}

/** The kernels of `rows` rows side by side, zeros beyond: nine vectors. */
function gather(block: usize, from: usize, rows: usize): void {
  const stride = changetype<TransformWeights>(block).rowStride;
  const end = block + GATHERED;
  let to = end;
  for (let tap = block + TAPS; tap < end; tap += 4, to += 16) {
    const at = from + load<usize>(tap);
    let taps = v128.load32_zero(at);
    if (rows > 1) taps = v128.load_lane<i32>(at + stride, taps, 1);
    if (rows > 2) taps = v128.load_lane<i32>(at + 2 * stride, taps, 2);
    if (rows > 3) taps = v128.load_lane<i32>(at + 3 * stride, taps, 3);
    v128.store(to, taps);
  }
}
