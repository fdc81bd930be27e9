/**
 * Prints register tiles of the convolution: rows (output channels) times two halves of vectors of four pixels side by side. The
 * second half lies `sourceStep` and `targetStep` bytes from the first. Two vectors side by side are one register of eight
 * pixels where the engine pairs them.
 */

import { lines, range } from './text.ts';

/** Which taps a tile is for: three rows of three side by side, one tap, or any. */
export type TapKind = 'three' | 'one' | 'any';

export interface ConvolveTile {
  readonly taps: TapKind;
  /** Output channels. */
  readonly rows: number;
  /** Vectors of four pixels in each half. */
  readonly vectors: number;
}

const PARAMETERS = 'block: usize, channel: usize, from: usize, to: usize, rows: usize';

/** What a file of convolution tiles begins with. */
export const CONVOLVE_IMPORTS = `import { Convolve, FIELDS, Place, TAPS, biasOf, placesOf, storePairs, storeSingles, weightsOf } from '../convolve-block';
import { multiplyAdd } from '../multiply-add';
import { viewOf } from '../view';
`;

/** Name of a tile: taps, rows, pixels. */
export function tileName({ taps, rows, vectors }: ConvolveTile): string {
  return `${taps}${rows}x${vectors * 8}`;
}

/**
 * Prints the function of a tile, which fills `rows` rows of the target with it, from the pixels at `from` and `to` on. Each sum runs input
 * channel by input channel, in each one tap by tap, and begins anew after every chunk of input channels; chunks are added in their order.
 */
export function convolveTile(tile: ConvolveTile): string {
  return lines([
    `export function ${tileName(tile)}(${PARAMETERS}): void {`,
    '  const fields = changetype<Convolve>(block + FIELDS);',
    '  const source = viewOf(block, 0);',
    '  const target = viewOf(block, 1);',
    '  const left = target.channels - channel;',
    '  const slope = fields.slope;',
    '  const plane = source.plane;',
    '  const weights = weightsOf(block, channel);',
    `  const end = weights + fields.weightBytes * ${tile.rows};`,
    `  const chunk = fields.chunkBytes * ${tile.rows};`,
    '  while (rows != 0) {',
    '    const pair = min<usize>(rows, 2);',
    '    const placesEnd = placesOf(block, pair + 1);',
    '    for (let at = placesOf(block, pair); at != placesEnd; at += offsetof<Place>()) {',
    '      const place = changetype<Place>(at);',
    ...sumsAt(tile).map((line) => `      ${line}`),
    '    }',
    '    rows -= pair;',
    '    from += pair * source.row;',
    '    to += pair * target.row;',
    '  }',
    '}',
  ]);
}

/** The sums of the tile at one place, and their stores. */
function sumsAt(tile: ConvolveTile): readonly string[] {
  const sums = sumNames(tile);
  return [
    'let first = from + place.source;',
    'const sourceStep = place.sourceStep;',
    'let w = weights;',
    ...WALKS[tile.taps].before,
    ...sums.map((sum) => `let total${sum} = f32x4.splat(0);`),
    'while (w != end) {',
    '  const chunkEnd = min(w + chunk, end);',
    ...sums.map((sum) => `  let sum${sum} = f32x4.splat(0);`),
    ...WALKS[tile.taps].chunk(tile),
    ...sums.map((sum) => `  total${sum} = f32x4.add(total${sum}, sum${sum});`),
    '}',
    ...stores(tile),
  ];
}

/** How the taps of an input channel are walked over: what is set up once, and the work of one chunk of input channels. */
interface TapWalk {
  readonly before: readonly string[];
  readonly chunk: (tile: ConvolveTile) => readonly string[];
}

const WALKS: Readonly<Record<TapKind, TapWalk>> = {
  three: {
    before: [
      // Loads that nobody uses bring what a later tile wants into the innermost cache.
      'const later = at + 2 * offsetof<Place>();',
      'const ahead = later < placesEnd ? changetype<Place>(later).source - place.source : 0;',
      'let p0 = first + load<usize>(block + TAPS);',
      'const row = load<usize>(block + TAPS + 12) - load<usize>(block + TAPS);',
    ],
    chunk: (tile) => [
      '    while (w != chunkEnd) {',
      ...range(3).flatMap((row) => threeTaps(tile, row)),
      '      p0 += plane;',
      `      w += ${9 * tile.rows * 4};`,
      '    }',
    ],
  },
  one: {
    before: ['let p = first + load<usize>(block + TAPS);', 'let q = p + sourceStep;'],
    // Two input channels at a time, then the one that is left.
    chunk: (tile) => [
      `    while (w + ${tile.rows * 4} < chunkEnd) {`,
      ...oneTap(tile, 0),
      ...oneTap(tile, 1),
      `      w += ${2 * tile.rows * 4};`,
      '    }',
      '    if (w != chunkEnd) {',
      ...oneTap(tile, 0),
      `      w += ${tile.rows * 4};`,
      '    }',
    ],
  },
  any: {
    before: ['const taps = block + TAPS;', 'const tapsEnd = taps + (fields.tapCount << 2);'],
    chunk: (tile) => [
      '    while (w != chunkEnd) {',
      '      for (let tap = taps; tap < tapsEnd; tap += 4) {',
      '        const p = first + load<usize>(tap);',
      '        const q = p + sourceStep;',
      ...products(tile, { halves: ['p', 'q'], pixel: 0, weight: 0 }),
      `        w += ${tile.rows * 4};`,
      '      }',
      '      first += plane;',
      '    }',
    ],
  },
};

function threeTaps(tile: ConvolveTile, row: number): readonly string[] {
  return [
    ...(row === 0 ? [] : [`      const p${row} = p${row - 1} + row;`]),
    `      const q${row} = p${row} + sourceStep;`,
    `      load<u32>(p${row} + ahead);`,
    ...range(3).flatMap((tap) => products(tile, { halves: [`p${row}`, `q${row}`], pixel: tap, weight: 3 * row + tap })),
  ];
}

function oneTap(tile: ConvolveTile, weight: number): readonly string[] {
  return [...products(tile, { halves: ['p', 'q'], pixel: 0, weight }), '      p += plane;', '      q += plane;'];
}

/** One tap: addresses of the pixels of both halves, how many pixels further they are read, and which tap's weights from `w`. */
interface Tap {
  readonly halves: readonly [string, string];
  readonly pixel: number;
  readonly weight: number;
}

/** Multiplies all vectors of a tap with the weights of each row. */
function products(tile: ConvolveTile, { halves, pixel, weight }: Tap): readonly string[] {
  const { rows, vectors } = tile;
  const loads = halves.flatMap((address, half) =>
    range(vectors).map((v) => `const x${half * vectors + v} = v128.load(${address}, ${pixel * 4 + v * 16});`),
  );
  const terms = range(rows).flatMap((row) => [
    `const w${row} = v128.load32_splat(w, ${(weight * rows + row) * 4});`,
    ...range(2 * vectors).map((v) => `sum${row}_${v} = multiplyAdd(sum${row}_${v}, x${v}, w${row});`),
  ]);
  return ['      {', ...[...loads, ...terms].map((line) => `        ${line}`), '      }'];
}

function sumNames({ rows, vectors }: ConvolveTile): readonly string[] {
  return range(rows).flatMap((row) => range(2 * vectors).map((v) => `${row}_${v}`));
}

/** Rows beyond the last channel are dropped. */
function stores({ rows, vectors }: ConvolveTile): readonly string[] {
  const store = vectors === 2 ? 'storePairs' : 'storeSingles';
  return [
    'const pixels = to + place.target;',
    ...range(rows).map((row) => {
      const totals = range(2 * vectors).map((v) => `total${row}_${v}`);
      const where = `pixels + ${row} * target.plane, place.targetStep, biasOf(block, channel + ${row}), slope`;
      return `if (left > ${row}) ${store}(${where}, ${totals.join(', ')});`;
    }),
  ];
}
