/**
 * Prints register tiles of weight gradients: some packed gradient planes times some (input channel, tap) pairs at a time, pair by pair
 * over a whole chunk. Each sum is four float32 lanes, then float64. A wide tile has eight lanes, in two vectors side by side, which are
 * one register where the engine pairs them; it takes stretches of an even number of vectors.
 */

import { lines, range } from './text.ts';

export interface GradientTile {
  readonly planes: number;
  readonly pairs: number;
  readonly wide: boolean;
}

/** What a file of these tiles begins with. */
export const GRADIENT_IMPORTS = `import { Chunk } from '../gradient-chunk';
import { addOne, addTwo } from '../dots';
import { multiplyAdd } from '../multiply-add';
`;

/** Vectors of a plane that are packed for one chunk, and bytes between packed planes: not a power of two, so that they do not share cache sets. */
const VECTORS = { narrow: 128, wide: 256 } as const;

function planeBytes(wide: boolean): number {
  return VECTORS[wide ? 'wide' : 'narrow'] * 16 + 64;
}

/** Prints the constants of chunks. */
export function chunkConstants(): string {
  return lines([
    `export const NARROW_VECTORS: usize = ${VECTORS.narrow};`,
    `export const NARROW_PLANE_BYTES: usize = ${planeBytes(false)};`,
    `export const WIDE_VECTORS: usize = ${VECTORS.wide};`,
    `export const WIDE_PLANE_BYTES: usize = ${planeBytes(true)};`,
  ]);
}

/** Name of a tile: `gradients6x2`, `gradients6x2wide`. */
export function gradientName({ planes, pairs, wide }: GradientTile): string {
  return `gradients${planes}x${pairs}${wide ? 'wide' : ''}`;
}

/** Prints a tile: for all pairs of a chunk, sums[planes · pair + plane] += products of the packed planes at `packed` and the source at `source`. */
export function gradientTile(tile: GradientTile): string {
  const lanes = laneNames(tile);
  const sources = range(tile.pairs).map((pair) => `b${pair}`);
  return lines([
    `export function ${gradientName(tile)}(chunk: Chunk, packed: usize, source: usize): void {`,
    '  const bytes = chunk.vectors << 4;',
    '  const end = chunk.offsetsEnd;',
    '  let sums = chunk.sums;',
    '  const plane = chunk.plane;',
    '  const last = chunk.last;',
    '  const aheadEnd = chunk.aheadEnd;',
    '  let ahead = chunk.ahead;',
    `  for (let at = chunk.offsets; at < end; at += ${tile.pairs * 4}) {`,
    // Loads that nobody uses bring what is packed next into the cache.
    '    for (const stop = min(ahead + chunk.aheadStep, aheadEnd); ahead < stop; ahead += 64) {',
    ...range(tile.planes).map((plane) => `      load<u32>(ahead + min<usize>(last, ${plane}) * plane);`),
    '    }',
    ...sources.map((b, pair) => `    let ${b} = source + load<usize>(at, ${pair * 4});`),
    '    let a = packed;',
    ...lanes.map((lane) => `    let ${lane} = f32x4.splat(0);`),
    '    let y = chunk.y;',
    '    for (let row = chunk.rows; row != 0; row--) {',
    '      const whole = a + (bytes & ~31);',
    '      while (a != whole) {',
    ...(tile.wide ? products(tile, [0, 1]) : [...products(tile, [0]), ...products(tile, [1])]),
    ...['a', ...sources].map((pointer) => `        ${pointer} += 32;`),
    '      }',
    ...(tile.wide
      ? []
      : [
          '      if (bytes & 16) {',
          ...products(tile, [0]),
          ...['a', ...sources].map((p) => `        ${p} += 16;`),
          '      }',
        ]),
    '      y++;',
    '      const wrap = y == chunk.height;',
    '      if (wrap) y = 0;',
    '      const jump = wrap ? chunk.sampleJump : chunk.rowJump;',
    ...sources.map((b) => `      ${b} += jump;`),
    '    }',
    ...(tile.wide ? ['    const working = chunk.working;', ...fold(tile)] : []),
    ...additions(tile),
    `    sums += ${tile.planes * tile.pairs * 8};`,
    '  }',
    '}',
  ]);
}

function laneName(plane: number, pair: number, vector: number): string {
  return `${vector === 0 ? 'sum' : 'next'}${plane}_${pair}`;
}

function laneNames({ planes, pairs, wide }: GradientTile): readonly string[] {
  return range(pairs).flatMap((pair) =>
    range(planes).flatMap((plane) => range(wide ? 2 : 1).map((vector) => laneName(plane, pair, vector))),
  );
}

/** Multiplies the given vectors, side by side, of all planes and pairs. In a tile that is not wide all go to the same lanes. */
function products({ planes, pairs, wide }: GradientTile, vectors: readonly number[]): readonly string[] {
  const body = [
    ...range(pairs).flatMap((pair) => vectors.map((v) => `const x${pair}_${v} = v128.load(b${pair}, ${v * 16});`)),
    ...range(planes).flatMap((plane) => [
      ...vectors.map((v) => `const g${plane}_${v} = v128.load(a, ${plane * planeBytes(wide) + v * 16});`),
      ...range(pairs).flatMap((pair) =>
        vectors.map((v) => {
          const lane = laneName(plane, pair, wide ? v : 0);
          return `${lane} = multiplyAdd(${lane}, g${plane}_${v}, x${pair}_${v});`;
        }),
      ),
    ]),
  ];
  return ['        {', ...body.map((line) => `          ${line}`), '        }'];
}

/** Adds the two vectors of each sum, by way of the working memory: stores side by side are what engines pair. */
function fold(tile: GradientTile): readonly string[] {
  const sums = range(tile.pairs).flatMap((pair) =>
    range(tile.planes).map((plane) => [laneName(plane, pair, 0), laneName(plane, pair, 1)] as const),
  );
  return [
    ...sums.flatMap((halves, at) => halves.map((lane, v) => `    v128.store(working, ${lane}, ${at * 32 + v * 16});`)),
    ...sums.map(([first], at) => {
      return `    const ${first}both = f32x4.add(v128.load(working, ${at * 32}), v128.load(working, ${at * 32 + 16}));`;
    }),
  ];
}

/** Two sums at a time, and the one that is left. */
function additions({ planes, pairs, wide }: GradientTile): readonly string[] {
  const names = range(pairs).flatMap((pair) =>
    range(planes).map((plane) => laneName(plane, pair, 0) + (wide ? 'both' : '')),
  );
  return range(Math.ceil(names.length / 2)).map((pair) => {
    const [first, second] = names.slice(2 * pair);
    const at = `sums + ${pair * 16}`;
    return second === undefined ? `    addOne(${at}, ${first});` : `    addTwo(${at}, ${first}, ${second});`;
  });
}
