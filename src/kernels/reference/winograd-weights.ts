/**
 * Weight gradient by the adjoint of Winograd's F(4x4, 3x3): dW = Gᵀ (Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ d B)) G. The products are those of the
 * convolution, so what goes backward through each linear step is its transpose.
 */

import { FLOAT_BYTES, type View } from '../../tensor/view.ts';
import { FREQUENCIES, TILE_EXTENT, WINOGRAD_KERNEL } from '../../tensor/winograd.ts';
import type { ConvolveWinogradWeightsCall } from '../../tensor/winograd-weights.ts';
import { at, read, write, type Memory } from './memory.ts';
import { OUTPUT, POINT_COUNT, WEIGHTS, onBothAxes, square, transpose, type Matrix } from './winograd-matrices.ts';
import { inputTile, tileCorners, type Corner } from './winograd-tile.ts';

const KERNEL_TAPS = WINOGRAD_KERNEL ** 2;

/** See {@link ConvolveWinogradWeightsCall}. */
export function convolveWinogradWeights(memory: Memory, call: ConvolveWinogradWeightsCall): void {
  const { source, gradient, target } = call;
  const [outputs, inputs] = [gradient.extent[1], source.extent[1]];
  const sums = Array.from({ length: outputs * inputs }, () => new Float64Array(FREQUENCIES));
  for (const corner of tileCorners(gradient.extent)) addTile(memory, call, corner, sums);
  sums.forEach((products, pair) => {
    const points = square(POINT_COUNT, (i, j) => products[i * POINT_COUNT + j]!);
    const taps = onBothAxes(transpose(WEIGHTS), points).flat();
    taps.forEach((value, tap) => write(memory, target + (pair * KERNEL_TAPS + tap) * FLOAT_BYTES, value));
  });
}

/** Adds the products of one tile to the sums of every pair of an output and an input channel. */
function addTile(
  memory: Memory,
  { source, gradient }: ConvolveWinogradWeightsCall,
  corner: Corner,
  sums: readonly Float64Array[],
): void {
  const inputs = source.extent[1];
  const values = Array.from({ length: inputs }, (_, input) =>
    inputTile(memory, source, gradient.extent, [...corner, input]).flat(),
  );
  for (let output = 0; output < gradient.extent[1]; output++) {
    const gradients = gradientTile(memory, gradient, corner, output).flat();
    values.forEach((value, input) => {
      const sum = sums[output * inputs + input]!;
      gradients.forEach((number, frequency) => (sum[frequency]! += number * value[frequency]!));
    });
  }
}

/** A dy Aᵀ of a tile; outputs that do not exist count as zeros. */
function gradientTile(memory: Memory, gradient: View, [n, y, x]: Corner, output: number): Matrix {
  const [, , height, width] = gradient.extent;
  const pixels = square(TILE_EXTENT, (v, u) => {
    const inside = y + v < height && x + u < width;
    return inside ? read(memory, at(gradient, [n, output, y + v, x + u])) : 0;
  });
  return onBothAxes(transpose(OUTPUT), pixels);
}
