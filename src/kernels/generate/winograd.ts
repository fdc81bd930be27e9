/**
 * Prints the transforms of Winograd's F(4x4, 3x3), one axis at a time, over vectors of values side by side. Points are 0, ±2/3, ±3/2 and
 * infinity: their products are 1, which saves multiplications, and errors are half of those of 0, ±1, ±2.
 */

import { lines, range } from './text.ts';

/** What a file of transforms begins with. */
export const WINOGRAD_IMPORTS = `import { multiplyAdd } from '../multiply-add';
`;

/** The smaller and the larger point; a · b = 1. */
const A = 2 / 3;
const B = 3 / 2;

/** A transform of one axis: names of the values that go in, those that come out, and what is computed in between. */
interface Transform {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Name and value, in order. */
  readonly steps: readonly (readonly [name: string, value: string])[];
}

const add = (a: string, b: string): string => `f32x4.add(${a}, ${b})`;
const subtract = (a: string, b: string): string => `f32x4.sub(${a}, ${b})`;
const times = (a: string, factor: number): string => `f32x4.mul(${a}, f32x4.splat(<f32>${factor}))`;
const plusTimes = (sum: string, a: string, factor: number): string =>
  `multiplyAdd(${sum}, ${a}, f32x4.splat(<f32>${factor}))`;

/** Bᵀ: six values of the input to six values at the points. */
const INPUT: Transform = {
  inputs: ['d0', 'd1', 'd2', 'd3', 'd4', 'd5'],
  outputs: ['t0', 't1', 't2', 't3', 't4', 't5'],
  steps: [
    ['even1', plusTimes('d4', 'd2', -(B ** 2))],
    ['odd1', plusTimes('d3', 'd1', -(B ** 2))],
    ['even2', plusTimes('d4', 'd2', -(A ** 2))],
    ['odd2', plusTimes('d3', 'd1', -(A ** 2))],
    ['t0', plusTimes(add('d0', 'd4'), 'd2', -(A ** 2 + B ** 2))],
    ['t1', plusTimes('even1', 'odd1', A)],
    ['t2', plusTimes('even1', 'odd1', -A)],
    ['t3', plusTimes('even2', 'odd2', B)],
    ['t4', plusTimes('even2', 'odd2', -B)],
    ['t5', plusTimes(add('d1', 'd5'), 'd3', -(A ** 2 + B ** 2))],
  ],
};

/** How a transform is applied to vectors side by side. */
interface Pass {
  readonly name: string;
  /** Vectors side by side: two are one register where the engine pairs them. */
  readonly vectors: number;
}

/** Prints Bᵀ over columns: six rows, `fromStep` bytes apart, to six rows, `toStep` bytes apart. */
export function inputColumns(vectors: number): string {
  const addresses = INPUT.inputs.map((_, k) => `from + ${k} * fromStep`);
  return pass({ name: `inputColumns${4 * vectors}`, vectors }, INPUT, addresses);
}

/**
 * Prints Bᵀ over rows, tiles side by side: `from` are four rows, `fromStep` bytes apart, of every fourth pixel each. The fifth and sixth
 * pixel of a tile are the first and second one of the next tile.
 */
export function inputRows(vectors: number): string {
  const own = range(4).map((k) => `from + ${k} * fromStep`);
  return pass({ name: `inputRows${4 * vectors}`, vectors }, INPUT, [...own, 'from + 4', 'from + fromStep + 4']);
}

/** Prints a function that loads the inputs at the given addresses and stores the outputs `toStep` bytes apart. */
function pass({ name, vectors }: Pass, transform: Transform, addresses: readonly string[]): string {
  const named = (value: string, v: number): string => value.replaceAll(/\b[a-z]+\d\b/gu, `$&_${v}`);
  return lines([
    `export function ${name}(from: usize, fromStep: usize, to: usize, toStep: usize): void {`,
    ...transform.inputs.flatMap((input, k) =>
      range(vectors).map((v) => `  const ${input}_${v} = v128.load(${addresses[k]}, ${v * 16});`),
    ),
    ...transform.steps.flatMap(([step, value]) =>
      range(vectors).map((v) => `  const ${step}_${v} = ${named(value, v)};`),
    ),
    ...transform.outputs.flatMap((output, k) =>
      range(vectors).map((v) => `  v128.store(to + ${k} * toStep, ${output}_${v}, ${v * 16});`),
    ),
    '}',
  ]);
}
