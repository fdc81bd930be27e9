/**
 * Prints register tiles of sums over tiles of pixels: the values of some input channels times the gradients of output channels that lie side
 * by side. Two vectors side by side are one register where the engine pairs them; each sum runs over all tiles in order.
 */

import { lines, range } from './text.ts';

/** A tile of so many input channels and vectors of four output channels. */
export interface PairsTile {
  readonly inputs: number;
  readonly vectors: number;
}

/** What a file of such tiles begins with. */
export const PAIRS_IMPORTS = `import { multiplyAdd } from '../multiply-add';
`;

/** Bytes of the gradients of one tile of pixels, and of the sums of one input channel: sixteen output channels. */
const GROUP_BYTES = 64;

/** Tiles of pixels that are added without looking whether they are all. */
const UNROLLED = 4;

/**
 * Prints `pairs<inputs>x<outputs>`: sums += values · gradients over `count` tiles of pixels. `values` of an input channel lie side by
 * side, those of the next channel `row` bytes further.
 */
export function pairsTile(tile: PairsTile): string {
  const { inputs, vectors } = tile;
  const cells = range(inputs).flatMap((c) => range(vectors).map((v) => ({ name: `${c}_${v}`, at: placeOf(c, v) })));
  return lines([
    `export function pairs${inputs}x${4 * vectors}(values: usize, row: usize, gradients: usize, count: usize, sums: usize): void {`,
    ...range(inputs).map((c) => `  let a${c} = ${c === 0 ? 'values' : `a${c - 1} + row`};`),
    ...cells.map(({ name }) => `  let sum${name} = f32x4.splat(0);`),
    `  const whole = values + ((count & ~${UNROLLED - 1}) << 2);`,
    '  const end = values + (count << 2);',
    '  while (a0 != whole) {',
    ...range(UNROLLED).flatMap((step) => products(tile, step)),
    ...advance(inputs, UNROLLED),
    '  }',
    '  while (a0 != end) {',
    ...products(tile, 0),
    ...advance(inputs, 1),
    '  }',
    // All loads before the first store, or the engine could not pair them.
    ...cells.map(({ name, at }) => `  const total${name} = f32x4.add(v128.load(sums, ${at}), sum${name});`),
    ...cells.map(({ name, at }) => `  v128.store(sums, total${name}, ${at});`),
    '}',
  ]);
}

function placeOf(input: number, vector: number): number {
  return input * GROUP_BYTES + vector * 16;
}

/** Adds the products of tile of pixels number `step` from here. */
function products({ inputs, vectors }: PairsTile, step: number): readonly string[] {
  const body = [
    ...range(vectors).map((v) => `const g${v} = v128.load(gradients, ${placeOf(step, v)});`),
    ...range(inputs).flatMap((c) => [
      `const x${c} = v128.load32_splat(a${c}, ${step * 4});`,
      ...range(vectors).map((v) => `sum${c}_${v} = multiplyAdd(sum${c}_${v}, g${v}, x${c});`),
    ]),
  ];
  return ['    {', ...body.map((line) => `      ${line}`), '    }'];
}

function advance(inputs: number, count: number): readonly string[] {
  return [...range(inputs).map((c) => `    a${c} += ${count * 4};`), `    gradients += ${count * GROUP_BYTES};`];
}
