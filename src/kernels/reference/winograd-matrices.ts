/** Matrices of Winograd's F(4x4, 3x3); they follow from the points 0, ±2/3, ±3/2 and infinity (docs/mathematics.md). */

import { TILE_EXTENT, WINOGRAD_KERNEL } from '../../tensor/winograd.ts';

export type Matrix = readonly (readonly number[])[];

const POINTS = [0, 2 / 3, -2 / 3, 3 / 2, -3 / 2] as const;

/** Points and infinity; pixels of a tile along an axis. */
export const POINT_COUNT = POINTS.length + 1;

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
export const INPUT: Matrix = [
  ...POINTS.map((point) => [...polynomial(POINTS.filter((other) => other !== point)), 0]),
  polynomial(POINTS),
];

/** G: 6 x 3. */
export const WEIGHTS: Matrix = powers(WINOGRAD_KERNEL).map((row, i) =>
  row.map((value) => (i < POINTS.length ? value / distances(POINTS[i]!) : value)),
);

/** Aᵀ: 4 x 6. */
export const OUTPUT: Matrix = transpose(powers(TILE_EXTENT));

export function transpose(matrix: Matrix): Matrix {
  return matrix[0]!.map((_, column) => matrix.map((row) => row[column]!));
}

function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0]!.map((_, column) => row.reduce((sum, value, k) => sum + value * b[k]![column]!, 0)));
}

/** transform · x · transformᵀ. */
export function onBothAxes(transform: Matrix, x: Matrix): Matrix {
  return multiply(multiply(transform, x), transpose(transform));
}

/** A matrix from its values. */
export function square(extent: number, value: (y: number, x: number) => number): Matrix {
  const indices = Array.from({ length: extent }, (_, i) => i);
  return indices.map((y) => indices.map((x) => value(y, x)));
}
