/**
 * Prints the transforms of Winograd's F(4x4, 3x3) that a convolution needs, one axis at a time, over vectors of values side by side.
 */

import { lines, range } from './text.ts';
import {
  A,
  B,
  DISTANCES_A,
  DISTANCES_B,
  add,
  applied,
  plusTimes,
  subtract,
  times,
  type Transform,
} from './winograd-transform.ts';

/** What a file of transforms begins with. */
export const WINOGRAD_IMPORTS = `import { multiplyAdd } from '../multiply-add';
`;

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

const PARAMETERS = 'from: usize, fromStep: usize, to: usize, toStep: usize, count: usize';

/**
 * Prints `name<values side by side>`, which does so `count` times: loads the inputs at the given addresses and stores the outputs
 * `toStep` bytes apart. Each address is computed once, so that engines see that vectors lie side by side.
 */
function pass(name: string, vectors: number, transform: Transform, addresses: readonly string[]): string {
  const parts = range(vectors).map((v) => {
    const inputs = transform.inputs.map((input) => `${input}_${v}`);
    return { inputs, ...applied(transform, inputs, `_${v}`) };
  });
  return lines([
    `export function ${name}${4 * vectors}(${PARAMETERS}): void {`,
    `  for (; count != 0; count--, from += ${16 * vectors}, to += ${16 * vectors}) {`,
    ...addresses.flatMap((address, k) => [
      `  const from${k} = ${address};`,
      ...parts.map(({ inputs }, v) => `  const ${inputs[k]!} = v128.load(from${k}, ${v * 16});`),
    ]),
    ...parts.flatMap(({ steps }) => steps),
    ...transform.outputs.flatMap((_, k) => [
      `  const to${k} = ${k === 0 ? 'to' : `to${k - 1} + toStep`};`,
      ...parts.map(({ outputs }, v) => `  v128.store(to${k}, ${outputs[k]!}, ${v * 16});`),
    ]),
    '  }',
    '}',
  ]);
}

/** Rows that lie `fromStep` bytes apart. */
function rowAddresses(count: number): readonly string[] {
  return range(count).map((k) => (k === 0 ? 'from' : `from${k - 1} + fromStep`));
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
  return pass('inputRows', vectors, INPUT, [...rowAddresses(4), 'from + 4', 'from1 + 4']);
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
