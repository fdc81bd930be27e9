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

/** Product of the distances of a point, and of its negative, from the other points. */
const DISTANCES_A = 2 * A ** 2 * (A ** 2 - B ** 2);
const DISTANCES_B = 2 * B ** 2 * (B ** 2 - A ** 2);

/** A transform of one axis: names of the values that go in, those that come out, and what is computed in between, in order. */
interface Transform {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly steps: readonly (readonly [name: string, value: string])[];
}

const add = (a: string, b: string): string => `f32x4.add(${a}, ${b})`;
const subtract = (a: string, b: string): string => `f32x4.sub(${a}, ${b})`;
const times = (a: string, factor: number): string => `f32x4.mul(${a}, f32x4.splat(<f32>${factor}))`;
const plusTimes = (sum: string, a: string, factor: number): string =>
  `multiplyAdd(${sum}, ${a}, f32x4.splat(<f32>${factor}))`;

/** Bᵀ: six pixels to their values at the points. */
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

/** G: three taps to their values at the points. */
const WEIGHTS: Transform = {
  inputs: ['g0', 'g1', 'g2'],
  outputs: ['g0', 't1', 't2', 't3', 't4', 'g2'],
  steps: [
    ['even1', plusTimes(times('g0', 1 / DISTANCES_A), 'g2', A ** 2 / DISTANCES_A)],
    ['even2', plusTimes(times('g0', 1 / DISTANCES_B), 'g2', B ** 2 / DISTANCES_B)],
    ['t1', plusTimes('even1', 'g1', A / DISTANCES_A)],
    ['t2', plusTimes('even1', 'g1', -A / DISTANCES_A)],
    ['t3', plusTimes('even2', 'g1', B / DISTANCES_B)],
    ['t4', plusTimes('even2', 'g1', -B / DISTANCES_B)],
  ],
};

/** Aᵀ: products at the points to four outputs. */
const OUTPUT: Transform = {
  inputs: ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'],
  outputs: ['y0', 'y1', 'y2', 'y3'],
  steps: [
    ['even1', add('m1', 'm2')],
    ['odd1', subtract('m1', 'm2')],
    ['even2', add('m3', 'm4')],
    ['odd2', subtract('m3', 'm4')],
    ['y0', add(add('m0', 'even1'), 'even2')],
    ['y1', plusTimes(times('odd1', A), 'odd2', B)],
    ['y2', plusTimes(times('even1', A ** 2), 'even2', B ** 2)],
    ['y3', plusTimes(plusTimes('m5', 'odd1', A ** 3), 'odd2', B ** 3)],
  ],
};

/** The lines of a transform of the given values, and the names of what comes out; `suffix` tells it from others. */
function applied(transform: Transform, inputs: readonly string[], suffix: string) {
  const names = new Map([
    ...transform.steps.map(([name]) => [name, `${name}${suffix}`] as const),
    ...transform.inputs.map((name, i) => [name, inputs[i]!] as const),
  ]);
  const renamed = (text: string): string => text.replaceAll(/\b[a-z]+\d\b/gu, (name) => names.get(name) ?? name);
  return {
    steps: transform.steps.map(([name, value]) => `  const ${renamed(name)} = ${renamed(value)};`),
    outputs: transform.outputs.map(renamed),
  };
}

const PARAMETERS = 'from: usize, fromStep: usize, to: usize, toStep: usize';

/** Prints `name<values side by side>`: loads the inputs at the given addresses and stores the outputs `toStep` bytes apart. */
function pass(name: string, vectors: number, transform: Transform, addresses: readonly string[]): string {
  const parts = range(vectors).map((v) => {
    const inputs = transform.inputs.map((input) => `${input}_${v}`);
    return { inputs, ...applied(transform, inputs, `_${v}`) };
  });
  return lines([
    `export function ${name}${4 * vectors}(${PARAMETERS}): void {`,
    ...addresses.flatMap((address, k) =>
      parts.map(({ inputs }, v) => `  const ${inputs[k]!} = v128.load(${address}, ${v * 16});`),
    ),
    ...parts.flatMap(({ steps }) => steps),
    ...transform.outputs.flatMap((_, k) =>
      parts.map(({ outputs }, v) => `  v128.store(to + ${k} * toStep, ${outputs[k]!}, ${v * 16});`),
    ),
    '}',
  ]);
}

/** Rows that lie `fromStep` bytes apart. */
function rowAddresses(count: number): readonly string[] {
  return range(count).map((k) => `from + ${k} * fromStep`);
}

/** Prints Bᵀ down the columns: six rows, `fromStep` bytes apart, to six rows, `toStep` bytes apart. */
export function inputColumns(vectors: number): string {
  return pass('inputColumns', vectors, INPUT, rowAddresses(6));
}

/**
 * Prints Bᵀ along the rows, tiles side by side: `from` are four rows, `fromStep` bytes apart, of every fourth pixel each. The fifth and sixth
 * pixel of a tile are the first and second one of the next tile.
 */
export function inputRows(vectors: number): string {
  return pass('inputRows', vectors, INPUT, [...rowAddresses(4), 'from + 4', 'from + fromStep + 4']);
}

/** Prints Aᵀ: six rows, `fromStep` bytes apart, to four rows, `toStep` bytes apart. */
export function outputs(vectors: number): string {
  return pass('outputs', vectors, OUTPUT, rowAddresses(6));
}

/**
 * Prints G g Gᵀ of four kernels side by side, nine vectors one behind the other, to 36 vectors `toStep` bytes apart; `lanes` of each
 * are stored: four, or the first two.
 */
export function kernels(lanes: 2 | 4): string {
  const columns = range(3).map((v) =>
    applied(
      WEIGHTS,
      range(3).map((u) => `g${u}${v}`),
      `_${v}`,
    ),
  );
  const rows = range(6).map((i) =>
    applied(
      WEIGHTS,
      columns.map(({ outputs: column }) => column[i]!),
      `_row${i}`,
    ),
  );
  const store = (value: string): string =>
    lanes === 4 ? `v128.store(to, ${value});` : `v128.store_lane<i64>(to, ${value}, 0);`;
  return lines([
    `export function kernels${lanes}(from: usize, to: usize, toStep: usize): void {`,
    ...range(9).map((tap) => `  const g${Math.floor(tap / 3)}${tap % 3} = v128.load(from, ${tap * 16});`),
    ...columns.flatMap(({ steps }) => steps),
    ...rows.flatMap(({ steps, outputs: row }) => [
      ...steps,
      ...row.flatMap((value) => [`  ${store(value)}`, '  to += toStep;']),
    ]),
    '}',
  ]);
}
