/**
 * Prints the transforms that the weight gradient needs beside that of the input, the adjoints of those of outputs and weights, one axis
 * at a time: A of 4x4 gradients, Gᵀ of 6x6 sums.
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

/** What a file of these begins with. */
export const WINOGRAD_GRADIENT_IMPORTS = `import { multiplyAdd } from '../multiply-add';
`;

/** A: four gradients to their values at the points. */
const GRADIENT: Transform = {
  inputs: ['y0', 'y1', 'y2', 'y3'],
  outputs: ['y0', 'n1', 'n2', 'n3', 'n4', 'y3'],
  steps: [
    ['even1', plusTimes('y0', 'y2', A ** 2)],
    ['odd1', plusTimes('y1', 'y3', A ** 2)],
    ['even2', plusTimes('y0', 'y2', B ** 2)],
    ['odd2', plusTimes('y1', 'y3', B ** 2)],
    ['n1', plusTimes('even1', 'odd1', A)],
    ['n2', plusTimes('even1', 'odd1', -A)],
    ['n3', plusTimes('even2', 'odd2', B)],
    ['n4', plusTimes('even2', 'odd2', -B)],
  ],
};

/** Gᵀ: sums at the points to the gradients of three taps. */
const TAPS: Transform = {
  inputs: ['u0', 'u1', 'u2', 'u3', 'u4', 'u5'],
  outputs: ['w0', 'w1', 'w2'],
  steps: [
    ['even1', add('u1', 'u2')],
    ['odd1', subtract('u1', 'u2')],
    ['even2', add('u3', 'u4')],
    ['odd2', subtract('u3', 'u4')],
    ['w0', plusTimes(plusTimes('u0', 'even1', 1 / DISTANCES_A), 'even2', 1 / DISTANCES_B)],
    ['w1', plusTimes(times('odd1', A / DISTANCES_A), 'odd2', B / DISTANCES_B)],
    ['w2', plusTimes(plusTimes('u5', 'even1', A ** 2 / DISTANCES_A), 'even2', B ** 2 / DISTANCES_B)],
  ],
};

/** The lines that load vectors side by side from each address, transform them, and store them at others. */
function transformed(
  transform: Transform,
  vectors: number,
  from: readonly string[],
  to: readonly string[],
): readonly string[] {
  const parts = range(vectors).map((v) => {
    const inputs = transform.inputs.map((input) => `${input}_${v}`);
    return { inputs, ...applied(transform, inputs, `_${v}`) };
  });
  return [
    ...from.flatMap((address, k) =>
      parts.map(({ inputs }, v) => `  const ${inputs[k]!} = v128.load(${address}, ${v * 16});`),
    ),
    ...parts.flatMap(({ steps }) => steps),
    ...to.flatMap((address, k) =>
      parts.map(({ outputs }, v) => `  v128.store(${address}, ${outputs[k]!}, ${v * 16});`),
    ),
  ];
}

/** Addresses `step` bytes apart. */
function apart(base: string, step: string, count: number): readonly string[] {
  return range(count).map((k) => `${base} + ${k} * ${step}`);
}

/** Prints `gradientColumns<values side by side>`: A down the columns of four rows of `bytes` bytes, to six rows `toStep` bytes apart. */
export function gradientColumns(vectors: number): string {
  const rows = ['row0', 'row1', 'row2', 'row3'];
  const parameters = [...rows, 'to', 'toStep', 'bytes'].map((name) => `${name}: usize`);
  return lines([
    `export function gradientColumns${4 * vectors}(${parameters.join(', ')}): void {`,
    `  for (const end = to + bytes; to < end; to += ${16 * vectors}) {`,
    ...transformed(GRADIENT, vectors, rows, apart('to', 'toStep', 6)).map((line) => `  ${line}`),
    ...rows.map((row) => `    ${row} += ${16 * vectors};`),
    '  }',
    '}',
  ]);
}

/** Prints `tapSums<values side by side>`: Gᵀ of six rows of `bytes` bytes, to three, which may be the first ones. */
export function tapSums(vectors: number): string {
  return lines([
    `export function tapSums${4 * vectors}(from: usize, fromStep: usize, to: usize, toStep: usize, bytes: usize): void {`,
    `  for (const end = from + bytes; from < end; from += ${16 * vectors}, to += ${16 * vectors}) {`,
    ...transformed(TAPS, vectors, apart('from', 'fromStep', 6), apart('to', 'toStep', 3)).map((line) => `  ${line}`),
    '  }',
    '}',
  ]);
}

/** Shuffles that make columns of four rows of four. */
const TRANSPOSITION = [
  ['ab', 'x0', 'x1', '0, 4, 1, 5'],
  ['cd', 'x2', 'x3', '0, 4, 1, 5'],
  ['ef', 'x0', 'x1', '2, 6, 3, 7'],
  ['gh', 'x2', 'x3', '2, 6, 3, 7'],
  ['y0', 'ab', 'cd', '0, 1, 4, 5'],
  ['y1', 'ab', 'cd', '2, 3, 6, 7'],
  ['y2', 'ef', 'gh', '0, 1, 4, 5'],
  ['y3', 'ef', 'gh', '2, 3, 6, 7'],
] as const;

/**
 * Prints `gradientRows`: A along a row of `count` tiles, eight channels that are `plane` bytes apart; tile by tile to six vectors of eight
 * channels `toStep` bytes apart, the next tile's 64 bytes further.
 */
export function gradientRows(): string {
  const transposed = range(2).flatMap((v) => [
    ...range(4).map((c) => `    const x${c}_${v} = v128.load(p${c + 4 * v});`),
    ...TRANSPOSITION.map(
      ([name, a, b, order]) => `    const ${name}_${v} = v128.shuffle<f32>(${a}_${v}, ${b}_${v}, ${order});`,
    ),
  ]);
  return lines([
    'export function gradientRows(from: usize, plane: usize, to: usize, toStep: usize, count: usize): void {',
    ...range(8).map((c) => `  let p${c} = ${c === 0 ? 'from' : `p${c - 1} + plane`};`),
    '  for (; count != 0; count--, to += 64) {',
    ...transposed,
    ...transformed(GRADIENT, 2, [], apart('to', 'toStep', 6)).map((line) => `  ${line}`),
    ...range(8).map((c) => `    p${c} += 16;`),
    '  }',
    '}',
  ]);
}
