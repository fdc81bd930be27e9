/**
 * Prints register tiles of matrix products: rows of packed weights times columns that lie side by side. Two vectors side by side are one
 * register where the engine pairs them; each sum runs over all terms in order.
 */

import { lines, range } from './text.ts';

/** A tile of so many rows and vectors of four columns. */
export interface ProductTile {
  readonly rows: number;
  readonly vectors: number;
}

/** What a file of matrix products begins with. */
export const PRODUCT_IMPORTS = `import { multiplyAdd } from '../multiply-add';
`;

/** Terms of a sum that are added without looking whether it is done. */
const UNROLLED = 2;

/**
 * Prints `product<rows>x<columns>`: `count` tiles side by side. Weights lie from `w` to `end`, term by term, `rows` floats each; the columns of
 * a term `step` bytes behind those of the term before; rows of the target `toStep` bytes apart.
 */
export function productTile(tile: ProductTile): string {
  const { rows, vectors } = tile;
  const sums = range(rows).flatMap((row) => range(vectors).map((v) => `sum${row}_${v}`));
  const bytes = vectors * 16;
  return lines([
    `export function product${rows}x${4 * vectors}(w: usize, end: usize, from: usize, step: usize, to: usize, toStep: usize, count: usize): void {`,
    `  for (; count != 0; count--, from += ${bytes}, to += ${bytes}) {`,
    '    let at = w;',
    '    let p = from;',
    ...sums.map((sum) => `    let ${sum} = f32x4.splat(0);`),
    `    while (at + ${(UNROLLED - 1) * rows * 4} < end) {`,
    ...range(UNROLLED).flatMap((term) => terms(tile, term)),
    `      at += ${UNROLLED * rows * 4};`,
    '    }',
    '    while (at < end) {',
    ...terms(tile, 0),
    `      at += ${rows * 4};`,
    '    }',
    '    let row = to;',
    ...range(rows).flatMap((row) => [
      ...range(vectors).map((v) => `    v128.store(row, sum${row}_${v}, ${v * 16});`),
      '    row += toStep;',
    ]),
    '  }',
    '}',
  ]);
}

/** Adds one term to all sums. */
function terms({ rows, vectors }: ProductTile, term: number): readonly string[] {
  const products = range(rows).flatMap((row) => [
    `const w${row} = v128.load32_splat(at, ${(term * rows + row) * 4});`,
    ...range(vectors).map((v) => `sum${row}_${v} = multiplyAdd(sum${row}_${v}, x${v}, w${row});`),
  ]);
  const loads = range(vectors).map((v) => `const x${v} = v128.load(p, ${v * 16});`);
  return ['      {', ...[...loads, ...products].map((line) => `        ${line}`), '      }', '      p += step;'];
}
