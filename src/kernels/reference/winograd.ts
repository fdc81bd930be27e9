/**
 * Winograd's F(4x4, 3x3): y = Aᵀ ((G g Gᵀ) ⊙ (Bᵀ d B)) A, summed over input channels before the last transform. The matrices follow
 * from the points 0, ±2/3, ±3/2 and infinity (docs/mathematics.md).
 */

import { ROW_BLOCK } from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import {
  FREQUENCIES,
  TILE_EXTENT,
  WINOGRAD_KERNEL,
  type ConvolveWinogradCall,
  type TransformWeightsCall,
} from '../../tensor/winograd.ts';
import { activate } from './activation.ts';
import { at, read, write, type Memory } from './memory.ts';

type Matrix = readonly (readonly number[])[];

const POINTS = [0, 2 / 3, -2 / 3, 3 / 2, -3 / 2] as const;

/** Points and infinity; pixels of a tile along an axis. */
const POINT_COUNT = POINTS.length + 1;

/** Product of the distances from a point to all others. */
function distances(point: number): number {
  return POINTS.filter((other) => other !== point).reduce((product, other) => product * (point - other), 1);
}

/** Coefficients, lowest power first, of the polynomial with these roots. */
function polynomial(roots: readonly number[]): readonly number[] {
  let coefficients = [1];
  for (const root of roots) {
    const shifted = [0, ...coefficients];
    coefficients = shifted.map((value, i) => value - root * (coefficients[i] ?? 0));
  }
  return coefficients;
}

/** Powers of each point from 0 to count - 1, and the highest one at infinity. */
function powers(count: number): Matrix {
  const atInfinity = Array.from({ length: count }, (_, power) => (power === count - 1 ? 1 : 0));
  return [...POINTS.map((point) => Array.from({ length: count }, (_, power) => point ** power)), atInfinity];
}

/** Bᵀ: 6 x 6. */
const INPUT: Matrix = [
  ...POINTS.map((point) => [...polynomial(POINTS.filter((other) => other !== point)), 0]),
  polynomial(POINTS),
];

/** G: 6 x 3. */
const WEIGHTS: Matrix = powers(WINOGRAD_KERNEL).map((row, i) =>
  row.map((value) => (i < POINTS.length ? value / distances(POINTS[i]!) : value)),
);

/** Aᵀ: 4 x 6. */
const OUTPUT: Matrix = transpose(powers(TILE_EXTENT));

function transpose(matrix: Matrix): Matrix {
  return matrix[0]!.map((_, column) => matrix.map((row) => row[column]!));
}

function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0]!.map((_, column) => row.reduce((sum, value, k) => sum + value * b[k]![column]!, 0)));
}

/** transform · x · transformᵀ. */
function onBothAxes(transform: Matrix, x: Matrix): Matrix {
  return multiply(multiply(transform, x), transpose(transform));
}

/** See {@link TransformWeightsCall}. */
export function transformWeights(memory: Memory, call: TransformWeightsCall): void {
  const { weights, packed, frequencyStride, rows, columns, rowStride, columnStride, taps } = call;
  for (let row = 0; row < Math.ceil(rows / ROW_BLOCK) * ROW_BLOCK; row++) {
    for (let column = 0; column < columns; column++) {
      const value = (u: number, v: number): number => {
        const index = row * rowStride + column * columnStride + taps[u * WINOGRAD_KERNEL + v]!;
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

function square(extent: number, value: (y: number, x: number) => number): Matrix {
  const indices = Array.from({ length: extent }, (_, i) => i);
  return indices.map((y) => indices.map((x) => value(y, x)));
}

/** See {@link ConvolveWinogradCall}. */
export function convolveWinograd(memory: Memory, call: ConvolveWinogradCall): void {
  const [samples, , height, width] = call.target.extent;
  for (let n = 0; n < samples; n++) {
    for (let y = 0; y < height; y += TILE_EXTENT) {
      for (let x = 0; x < width; x += TILE_EXTENT) convolveTile(memory, call, [n, y, x]);
    }
  }
}

type Corner = readonly [n: number, y: number, x: number];

function convolveTile(memory: Memory, call: ConvolveWinogradCall, corner: Corner): void {
  const columns = call.source.extent[1];
  const inputs = Array.from({ length: columns }, (_, column) => inputTile(memory, call, corner, column).flat());
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

/** Bᵀ d B of a tile; pixels that no output looks at are zeros. */
function inputTile(
  memory: Memory,
  { source, target }: ConvolveWinogradCall,
  [n, y, x]: Corner,
  column: number,
): Matrix {
  const [, , height, width] = target.extent;
  const halo = WINOGRAD_KERNEL - 1;
  const pixels = square(POINT_COUNT, (v, u) => {
    const inside = y + v < height + halo && x + u < width + halo;
    return inside ? read(memory, at(source, [n, column, y + v, x + u])) : 0;
  });
  return onBothAxes(INPUT, pixels);
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
