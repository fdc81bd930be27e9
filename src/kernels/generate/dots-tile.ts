/**
 * Prints register tiles of sums over pixels: some rows `a` times some rows `b`, all their dot products at once. Each is four float32
 * lanes that together cover at most 512 terms, then added in float64. A wide tile has eight lanes, in two vectors side by side, which
 * are one register where the engine pairs them; it takes rows of an even number of vectors.
 */

import { lines, range } from './text.ts';

export interface DotsTile {
  readonly a: number;
  readonly b: number;
  readonly wide: boolean;
}

/** What a file of dot products begins with. */
export const DOTS_IMPORTS = `import { Walk, addOne, addTwo } from '../dots';
import { multiplyAdd } from '../multiply-add';
`;

/** Name of a tile: `dots6x2`, `dots6x2wide`. */
export function dotsName({ a, b, wide }: DotsTile): string {
  return `dots${a}x${b}${wide ? 'wide' : ''}`;
}

/** Prints a tile: sums[a · j + i] += dot product of rows a_i and b_j; `sums` are float64. A wide one is given working memory. */
export function dotsTile(tile: DotsTile): string {
  const lanes = laneNames(tile);
  const rows = [...range(tile.a).map((i) => `a${i}`), ...range(tile.b).map((j) => `b${j}`)];
  const parameters = [...rows.map((row) => `${row}: usize`), 'walk: Walk', 'sums: usize'];
  return lines([
    `export function ${dotsName(tile)}(${[...parameters, ...(tile.wide ? ['working: usize'] : [])].join(', ')}): void {`,
    ...lanes.map((lane) => `  let ${lane} = f32x4.splat(0);`),
    '  let y = walk.y;',
    '  const bytes = walk.vectors << 4;',
    '  for (let row = walk.rows; row != 0; row--) {',
    '    const end = b0 + (bytes & ~31);',
    '    while (b0 != end) {',
    ...(tile.wide ? products(tile, [0, 1]) : [...products(tile, [0]), ...products(tile, [1])]),
    ...rows.map((row) => `      ${row} += 32;`),
    '    }',
    ...(tile.wide ? [] : ['    if (bytes & 16) {', ...products(tile, [0]), '    }']),
    '    y++;',
    '    const wrap = y == walk.height;',
    '    if (wrap) y = 0;',
    '    const a = (wrap ? walk.aJump : walk.aRow) - (bytes & ~31);',
    '    const b = (wrap ? walk.bJump : walk.bRow) - (bytes & ~31);',
    ...rows.map((row) => `    ${row} += ${row[0]};`),
    '  }',
    ...(tile.wide ? fold(tile) : []),
    ...additions(tile),
    '}',
  ]);
}

/** Lanes of row a_i times row b_j; the second vector of a wide tile has a name of its own. */
function laneName(i: number, j: number, vector: number): string {
  return `${vector === 0 ? 'sum' : 'next'}${i}_${j}`;
}

function laneNames({ a, b, wide }: DotsTile): readonly string[] {
  return range(b).flatMap((j) => range(a).flatMap((i) => range(wide ? 2 : 1).map((vector) => laneName(i, j, vector))));
}

/** Multiplies the given vectors, side by side, of all rows. In a tile that is not wide all go to the same lanes. */
function products({ a, b, wide }: DotsTile, vectors: readonly number[]): readonly string[] {
  const load = (row: string, vector: number) => `v128.load(${row}, ${vector * 16})`;
  const body = [
    ...range(b).flatMap((j) => vectors.map((v) => `const x${j}_${v} = ${load(`b${j}`, v)};`)),
    ...range(a).flatMap((i) => [
      ...vectors.map((v) => `const g${i}_${v} = ${load(`a${i}`, v)};`),
      ...range(b).flatMap((j) =>
        vectors.map((v) => {
          const lane = laneName(i, j, wide ? v : 0);
          return `${lane} = multiplyAdd(${lane}, g${i}_${v}, x${j}_${v});`;
        }),
      ),
    ]),
  ];
  return ['      {', ...body.map((line) => `        ${line}`), '      }'];
}

/** Adds the two vectors of each dot product, by way of the working memory: stores side by side are what engines pair. */
function fold(tile: DotsTile): readonly string[] {
  const pairs = range(tile.b).flatMap((j) => range(tile.a).map((i) => [laneName(i, j, 0), laneName(i, j, 1)] as const));
  return [
    ...pairs.flatMap((pair, at) => pair.map((lane, v) => `  v128.store(working, ${lane}, ${at * 32 + v * 16});`)),
    ...pairs.map(([first], at) => {
      return `  const ${first}both = f32x4.add(v128.load(working, ${at * 32}), v128.load(working, ${at * 32 + 16}));`;
    }),
  ];
}

/** Two sums at a time, and the one that is left. */
function additions({ a, b, wide }: DotsTile): readonly string[] {
  const names = range(b).flatMap((j) => range(a).map((i) => laneName(i, j, 0) + (wide ? 'both' : '')));
  return range(Math.ceil(names.length / 2)).map((pair) => {
    const [first, second] = names.slice(2 * pair);
    const at = `sums + ${pair * 16}`;
    return second === undefined ? `  addOne(${at}, ${first});` : `  addTwo(${at}, ${first}, ${second});`;
  });
}
