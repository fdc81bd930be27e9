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
  hoisted,
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

const PARAMETERS =
  'fromLine: usize, fromStep: usize, toLine: usize, toStep: usize, count: usize, lines: usize, fromNext: usize, toNext: usize';

/**
 * Prints `name<values side by side>`, which does so `count` times in each of `lines` lines, whose addresses are `fromNext` and `toNext` bytes
 * apart: loads the inputs at the given addresses and stores the outputs `toStep` bytes apart. Each address is computed once, so that
 * engines see that vectors lie side by side.
 */
function pass(name: string, vectors: number, transform: Transform, addresses: readonly string[]): string {
  const parts = range(vectors).map((v) => {
    const inputs = transform.inputs.map((input) => `${input}_${v}`);
    return { inputs, ...applied(transform, inputs, `_${v}`) };
  });
  const { before, body } = hoisted([
    ...addresses.flatMap((address, k) => [
      `    const from${k} = ${address};`,
      ...parts.map(({ inputs }, v) => `    const ${inputs[k]!} = v128.load(from${k}, ${v * 16});`),
    ]),
    ...parts.flatMap(({ steps }) => steps.map((step) => `  ${step}`)),
    ...transform.outputs.flatMap((_, k) => [
      `    const to${k} = ${k === 0 ? 'to' : `to${k - 1} + toStep`};`,
      ...parts.map(({ outputs }, v) => `    v128.store(to${k}, ${outputs[k]!}, ${v * 16});`),
    ]),
  ]);
  return lines([
    `export function ${name}${4 * vectors}(${PARAMETERS}): void {`,
    ...before,
    '  for (; lines != 0; lines--, fromLine += fromNext, toLine += toNext) {',
    '    let from = fromLine;',
    '    let to = toLine;',
    `    for (let left = count; left != 0; left--, from += ${16 * vectors}, to += ${16 * vectors}) {`,
    ...body,
    '    }',
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

/** How four kernels share vectors: those of four rows of a column, or of two rows of two columns. */
export type KernelLanes = 'rows' | 'columns';

/**
 * Prints G g Gᵀ of four kernels at a time, at addresses p0 to p3, `count` times, each `step` bytes further. The 36 values lie `toStep` bytes
 * apart, those of a column behind those of the column before; columns are `next` bytes apart where there are two.
 */
export function kernels(lanes: KernelLanes, mirrored: boolean): string {
  const store = (value: string): readonly string[] =>
    lanes === 'rows'
      ? [`    v128.store(at, ${value});`]
      : [`    v128.store_lane<i64>(at, ${value}, 0);`, `    v128.store_lane<i64>(at + next, ${value}, 1);`];
  const { steps, outputs } = transformedKernel(mirrored);
  const { before, body } = hoisted([
    ...gatheredKernels(),
    ...steps.map((step) => `  ${step}`),
    '    let at = to;',
    ...outputs.flatMap((value) => [...store(value), '    at += toStep;']),
  ]);
  const advance = [
    'p0 += step',
    'p1 += step',
    'p2 += step',
    'p3 += step',
    lanes === 'rows' ? 'to += next' : 'to += 2 * next',
  ];
  const kind = `${lanes === 'rows' ? 'Rows' : 'Columns'}${mirrored ? 'Mirrored' : ''}`;
  const places = `p0: usize, p1: usize, p2: usize, p3: usize, step: usize, to: usize, toStep: usize, next: usize, count: usize`;
  return lines([
    `export function kernels${kind}(${places}): void {`,
    ...before,
    `  for (; count != 0; count--, ${advance.join(', ')}) {`,
    ...body,
    '  }',
    '}',
  ]);
}

/** Nine vectors g0 to g8 of the taps of four kernels. */
function gatheredKernels(): readonly string[] {
  const square = (tap: number): readonly string[] => {
    const rows = range(4).map((lane) => `    const row${tap}_${lane} = v128.load(p${lane}, ${tap * 4});`);
    const pairs = range(2).flatMap((half) =>
      [0, 2].map((lane) => {
        const [a, b] = [`row${tap}_${lane}`, `row${tap}_${lane + 1}`];
        const order = half === 0 ? '0, 4, 1, 5' : '2, 6, 3, 7';
        return `    const pair${tap}_${half}_${lane} = v128.shuffle<f32>(${a}, ${b}, ${order});`;
      }),
    );
    const taps = range(4).map((k) => {
      const [a, b] = [0, 2].map((lane) => `pair${tap}_${k >> 1}_${lane}`);
      return `    const g${tap + k} = v128.shuffle<f32>(${a}, ${b}, ${k % 2 === 0 ? '0, 1, 4, 5' : '2, 3, 6, 7'});`;
    });
    return [...rows, ...pairs, ...taps];
  };
  const lanes = [1, 2, 3].map((lane) => `    g8 = v128.load_lane<i32>(p${lane}, g8, ${lane}, 32);`);
  return [...square(0), ...square(4), '    let g8 = v128.load32_zero(p0, 32);', ...lanes];
}

/** The steps from taps g0 to g8 to 36 values, row by row. */
function transformedKernel(mirrored: boolean) {
  const tap = (index: number): string => `g${mirrored ? 8 - index : index}`;
  const columns = range(3).map((v) =>
    applied(
      WEIGHTS,
      range(3).map((u) => tap(3 * u + v)),
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
  return { steps: [...columns, ...rows].flatMap(({ steps }) => steps), outputs: rows.flatMap((row) => row.outputs) };
}
