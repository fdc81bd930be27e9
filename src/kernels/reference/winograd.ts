/**
 * Winograd's F(4x4, 3x3): y = Aᵀ ((G g Gᵀ) ⊙ (Bᵀ d B)) A, summed over input channels before the last transform. The matrices follow
 * from the points 0, ±2/3, ±3/2 and infinity (docs/mathematics.md).
 */

import { ROW_BLOCK } from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import {
  FREQUENCIES,
  WINOGRAD_KERNEL,
  type ConvolveWinogradCall,
  type TransformWeightsCall,
} from '../../tensor/winograd.ts';
import { activate } from './activation.ts';
import { at, read, write, type Memory } from './memory.ts';
import { OUTPUT, POINT_COUNT, WEIGHTS, onBothAxes, square, type Matrix } from './winograd-matrices.ts';
import { inputTile, tileCorners, type Corner } from './winograd-tile.ts';

/** See {@link TransformWeightsCall}. */
export function transformWeights(memory: Memory, call: TransformWeightsCall): void {
  const { weights, packed, frequencyStride, rows, columns, rowStride, columnStride, mirrored } = call;
  for (let row = 0; row < Math.ceil(rows / ROW_BLOCK) * ROW_BLOCK; row++) {
    for (let column = 0; column < columns; column++) {
      const value = (u: number, v: number): number => {
        const tap = u * WINOGRAD_KERNEL + v;
        const index = row * rowStride + column * columnStride + (mirrored ? WINOGRAD_KERNEL ** 2 - 1 - tap : tap);
        return row < rows ? read(memory, weights + index * FLOAT_BYTES) : 0;
      };
      const transformed = onBothAxes(WEIGHTS, square(WINOGRAD_KERNEL, value)).flat();
      const place = packed + placeOf(row, column, columns);
      transformed.forEach((number, frequency) => write(memory, place + frequency * frequencyStride, number));
    }
  }
}

/** Bytes before the weight of a row and a column in the matrix of a frequency. */
function placeOf(row: number, column: number, columns: number): number {
  const block = Math.floor(row / ROW_BLOCK);
  return ((block * columns + column) * ROW_BLOCK + (row % ROW_BLOCK)) * FLOAT_BYTES;
}

/** See {@link ConvolveWinogradCall}. */
export function convolveWinograd(memory: Memory, call: ConvolveWinogradCall): void {
  for (const corner of tileCorners(call.target.extent)) convolveTile(memory, call, corner);
}

function convolveTile(memory: Memory, call: ConvolveWinogradCall, corner: Corner): void {
  const columns = call.source.extent[1];
  const inputs = Array.from({ length: columns }, (_, column) =>
    inputTile(memory, call.source, call.target.extent, [...corner, column]).flat(),
  );
  for (let row = 0; row < call.target.extent[1]; row++) {
    const products = Array.from({ length: FREQUENCIES }, () => 0);
    inputs.forEach((input, column) => {
      const place = call.packed + placeOf(row, column, columns);
      input.forEach((value, f) => (products[f]! += value * read(memory, place + f * call.frequencyStride)));
    });
    const outputs = onBothAxes(
      OUTPUT,
      square(POINT_COUNT, (i, j) => products[i * POINT_COUNT + j]!),
    );
    storeTile(memory, call, corner, { row, outputs });
  }
}

function storeTile(
  memory: Memory,
  { target, bias, slope }: ConvolveWinogradCall,
  [n, y, x]: Corner,
  { row, outputs }: { readonly row: number; readonly outputs: Matrix },
): void {
  const added = bias === 0 ? 0 : read(memory, bias + row * FLOAT_BYTES);
  outputs.forEach((line, v) =>
    line.forEach((value, u) => {
      const inside = y + v < target.extent[2] && x + u < target.extent[3];
      if (inside) write(memory, at(target, [n, row, y + v, x + u]), activate(added + value, slope));
    }),
  );
}
