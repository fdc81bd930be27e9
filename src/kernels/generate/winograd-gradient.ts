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
  hoisted,
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

/** A loop over vectors side by side; outputs go to `to`, `toStep` bytes apart. */
interface Loop {
  readonly transform: Transform;
  readonly vectors: number;
  /** Addresses of the inputs. */
  readonly from: readonly string[];
  /** Lines that make the inputs where they are not loaded as they are. */
  readonly inputs?: readonly string[];
  /** Until when, and what moves on. */
  readonly until: string;
  readonly advance: readonly string[];
}

/** Prints the loop. Each address is computed once, so that engines see that vectors lie side by side. */
function loop({ transform, vectors, from, inputs: made = [], until, advance }: Loop): readonly string[] {
  const parts = range(vectors).map((v) => {
    const inputs = transform.inputs.map((input) => `${input}_${v}`);
    return { inputs, ...applied(transform, inputs, `_${v}`) };
  });
  const { before, body } = hoisted([
    ...from.flatMap((address, k) => [
      `    const from${k} = ${address};`,
      ...parts.map(({ inputs }, v) => `    const ${inputs[k]!} = v128.load(from${k}, ${v * 16});`),
    ]),
    ...made,
    ...parts.flatMap(({ steps }) => steps.map((step) => `  ${step}`)),
    ...transform.outputs.flatMap((_, k) => [
      `    const to${k} = ${k === 0 ? 'to' : `to${k - 1} + toStep`};`,
      ...parts.map(({ outputs }, v) => `    v128.store(to${k}, ${outputs[k]!}, ${v * 16});`),
    ]),
  ]);
  return [...before, `  while (${until}) {`, ...body, ...advance.map((step) => `    ${step};`), '  }'];
}

/** Prints `gradientColumns<values side by side>`: A down the columns of four rows of `bytes` bytes, to six rows `toStep` bytes apart. */
export function gradientColumns(vectors: number): string {
  const rows = ['row0', 'row1', 'row2', 'row3'];
  const parameters = [...rows, 'to', 'toStep', 'bytes'].map((name) => `${name}: usize`);
  const advance = [...rows, 'to'].map((name) => `${name} += ${16 * vectors}`);
  return lines([
    `export function gradientColumns${4 * vectors}(${parameters.join(', ')}): void {`,
    '  const end = to + bytes;',
    ...loop({ transform: GRADIENT, vectors, from: rows, until: 'to < end', advance }),
    '}',
  ]);
}

/** Prints `tapSums<values side by side>`: Gᵀ of six rows of `bytes` bytes, to three, which may be the first ones. */
export function tapSums(vectors: number): string {
  const from = range(6).map((k) => (k === 0 ? 'from' : `from${k - 1} + fromStep`));
  const advance = ['from', 'to'].map((name) => `${name} += ${16 * vectors}`);
  return lines([
    `export function tapSums${4 * vectors}(from: usize, fromStep: usize, to: usize, toStep: usize, bytes: usize): void {`,
    '  const end = from + bytes;',
    ...loop({ transform: TAPS, vectors, from, until: 'from < end', advance }),
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
  const inputs = range(2).flatMap((v) => [
    ...range(4).map((c) => `    const x${c}_${v} = v128.load(p${c + 4 * v});`),
    ...TRANSPOSITION.map(
      ([name, a, b, order]) => `    const ${name}_${v} = v128.shuffle<f32>(${a}_${v}, ${b}_${v}, ${order});`,
    ),
  ]);
  const advance = ['count--', 'to += 64', ...range(8).map((c) => `p${c} += 16`)];
  return lines([
    'export function gradientRows(from: usize, plane: usize, to: usize, toStep: usize, count: usize): void {',
    ...range(8).map((c) => `  let p${c} = ${c === 0 ? 'from' : `p${c - 1} + plane`};`),
    ...loop({ transform: GRADIENT, vectors: 2, from: [], inputs, until: 'count != 0', advance }),
    '}',
  ]);
}
