/**
 * Prints register tiles of sums over inputs: some rows `a` times some rows `b`, all their dot products at once. Each is four float32
 * lanes that together cover at most 512 terms, then added in float64.
 */

import { lines, range } from './text.ts';

export interface DotsTile {
  readonly a: number;
  readonly b: number;
}

/** What a file of dot products begins with. */
export const DOTS_IMPORTS = `import { addTwo } from '../dots';
import { multiplyAdd } from '../multiply-add';
`;

/** Prints a tile, `dots4x2`: sums[a · j + i] += dot product of `vectors` vectors of rows a_i and b_j; `sums` are float64. */
export function dotsTile({ a, b }: DotsTile): string {
  const rows = [...range(a).map((i) => `a${i}`), ...range(b).map((j) => `b${j}`)];
  const lanes = range(b).flatMap((j) => range(a).map((i) => `sum${i}_${j}`));
  return lines([
    `export function dots${a}x${b}(${rows.map((row) => `${row}: usize`).join(', ')}, vectors: usize, sums: usize): void {`,
    ...lanes.map((lane) => `  let ${lane} = f32x4.splat(0);`),
    '  const end = b0 + ((vectors & ~1) << 4);',
    '  while (b0 != end) {',
    ...products({ a, b }, 0),
    ...products({ a, b }, 1),
    ...rows.map((row) => `    ${row} += 32;`),
    '  }',
    '  if (vectors & 1) {',
    ...products({ a, b }, 0),
    '  }',
    ...range(lanes.length / 2).map((at) => `  addTwo(sums + ${at * 16}, ${lanes[2 * at]!}, ${lanes[2 * at + 1]!});`),
    '}',
  ]);
}

/** Multiplies one vector of all rows. */
function products({ a, b }: DotsTile, vector: number): readonly string[] {
  const load = (row: string) => `v128.load(${row}, ${vector * 16})`;
  const body = [
    ...range(b).map((j) => `const x${j} = ${load(`b${j}`)};`),
    ...range(a).flatMap((i) => [
      `const g${i} = ${load(`a${i}`)};`,
      ...range(b).map((j) => `sum${i}_${j} = multiplyAdd(sum${i}_${j}, g${i}, x${j});`),
    ]),
  ];
  return ['    {', ...body.map((line) => `      ${line}`), '    }'];
}
