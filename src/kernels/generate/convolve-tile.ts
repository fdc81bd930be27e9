/**
 * Prints register tiles of the convolution: rows (output channels) times two halves of vectors of four pixels side by side. The
 * second half lies `sourceStep` and `targetStep` bytes from the first. Two vectors side by side are one register of eight
 * pixels where the engine pairs them. Tiles of what is left at the ends of rows have pixels side by side in twos or alone, each as many
 * bytes from those before it.
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
  /** Pixels that lie side by side: four are a vector. */
  readonly beside: 4 | 2 | 1;
}

const PARAMETERS = 'block: usize, channel: usize, from: usize, to: usize, rows: usize, list: PlaceList';

/** What a file of convolution tiles begins with. */
export const CONVOLVE_IMPORTS = `import { Convolve, FIELDS, Place, PlaceList, TAPS, biasOf, weightsOf } from '../convolve-block';
import { storeAlone, storePairs, storeSingles, storeTwos } from '../convolve-store';
import { multiplyAdd } from '../multiply-add';
import { viewOf } from '../view';
`;

/** Name of a tile: taps, rows, pixels, and how they lie. */
export function tileName({ taps, rows, vectors, beside }: ConvolveTile): string {
  return `${taps}${rows}x${vectors * 8}${{ 4: '', 2: 'twos', 1: 'alone' }[beside]}`;
}

/**
 * Prints the function of a tile, which fills `rows` rows of the target with it, as many at a time as a list of places is for, from the pixels at `from` and `to` on. Each sum runs input
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
    '  const places = changetype<usize>(list) + offsetof<PlaceList>();',
    '  const placesEnd = places + list.count * offsetof<Place>();',
    '  for (; rows != 0; rows -= list.rows) {',
    '    for (let at = places; at != placesEnd; at += offsetof<Place>()) {',
    '      const place = changetype<Place>(at);',
    ...sumsAt(tile).map((line) => `      ${line}`),
    '    }',
    '    from += list.rows * source.row;',
    '    to += list.rows * target.row;',
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

/** Taps of any kind that are multiplied in one go. */
const TOGETHER = 4;

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
    before: ['let p = first + load<usize>(block + TAPS);'],
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
    // Some taps at a time, then those that are left.
    chunk: (tile) => [
      '    while (w != chunkEnd) {',
      '      let tap = taps;',
      `      for (; tap + ${TOGETHER * 4} <= tapsEnd; tap += ${TOGETHER * 4}, w += ${TOGETHER * tile.rows * 4}) {`,
      ...range(TOGETHER).flatMap((at) => anyTap(tile, at)),
      '      }',
      `      for (; tap < tapsEnd; tap += 4, w += ${tile.rows * 4}) {`,
      ...anyTap(tile, 0),
      '      }',
      '      first += plane;',
      '    }',
    ],
  },
};

function threeTaps(tile: ConvolveTile, row: number): readonly string[] {
  const taps = range(3).map((pixel) => ({ pixel, weight: 3 * row + pixel }));
  return [
    ...(row === 0 ? [] : [`      const p${row} = p${row - 1} + row;`]),
    `      load<u32>(p${row} + ahead);`,
    ...rowOfTaps(tile, `p${row}`, taps),
  ];
}

/** The tap number `at` from `tap` on. */
function anyTap(tile: ConvolveTile, at: number): readonly string[] {
  const address = `p${at}`;
  return [
    `      const ${address} = first + load<usize>(tap, ${at * 4});`,
    ...rowOfTaps(tile, address, [{ pixel: 0, weight: at }]),
  ];
}

function oneTap(tile: ConvolveTile, weight: number): readonly string[] {
  return [...rowOfTaps(tile, 'p', [{ pixel: 0, weight }]), '      p += plane;'];
}

/** One tap: how many pixels further than the row's address it reads, and which tap's weights from `w` it takes. */
interface Tap {
  readonly pixel: number;
  readonly weight: number;
}

/** Multiplies all pixels of the taps of a row, which begins at the address in `base`, with the weights of each row. */
function rowOfTaps(tile: ConvolveTile, base: string, taps: readonly Tap[]): readonly string[] {
  const addresses = range(tile.beside === 4 ? 2 : 8 / tile.beside).map((i) => (i === 0 ? base : `${base}_${i}`));
  const steps = addresses.slice(1).map((address, i) => `const ${address} = ${addresses[i]!} + sourceStep;`);
  const body = [...steps, ...taps.flatMap((tap) => ['{', ...products(tile, addresses, tap), '}'])];
  return ['      {', ...body.map((line) => `        ${line}`), '      }'];
}

function products(tile: ConvolveTile, addresses: readonly string[], { pixel, weight }: Tap): readonly string[] {
  const { rows, vectors } = tile;
  const terms = range(rows).flatMap((row) => [
    `const w${row} = v128.load32_splat(w, ${(weight * rows + row) * 4});`,
    ...range(2 * vectors).map((v) => `sum${row}_${v} = multiplyAdd(sum${row}_${v}, x${v}, w${row});`),
  ]);
  return [...loads(tile, addresses, pixel * 4), ...terms];
}

/** Loads the pixels of a tile that lie `offset` bytes behind its addresses. */
function loads({ vectors, beside }: ConvolveTile, addresses: readonly string[], offset: number): readonly string[] {
  if (beside === 4) {
    return addresses.flatMap((address, half) =>
      range(vectors).map((v) => `const x${half * vectors + v} = v128.load(${address}, ${offset + v * 16});`),
    );
  }
  const [lanes, bits] = [4 / beside, beside * 32];
  return range(2).flatMap((v) => [
    `let x${v} = v128.load${bits}_zero(${addresses[v * lanes]!}, ${offset});`,
    ...range(lanes)
      .slice(1)
      .map((lane) => `x${v} = v128.load_lane<i${bits}>(${addresses[v * lanes + lane]!}, x${v}, ${lane}, ${offset});`),
  ]);
}

function sumNames({ rows, vectors }: ConvolveTile): readonly string[] {
  return range(rows).flatMap((row) => range(2 * vectors).map((v) => `${row}_${v}`));
}

/** Rows beyond the last channel are dropped. */
function stores({ rows, vectors, beside }: ConvolveTile): readonly string[] {
  const store = { 4: vectors === 2 ? 'storePairs' : 'storeSingles', 2: 'storeTwos', 1: 'storeAlone' }[beside];
  return [
    'const pixels = to + place.target;',
    ...range(rows).map((row) => {
      const totals = range(2 * vectors).map((v) => `total${row}_${v}`);
      const where = `pixels + ${row} * target.plane, place.targetStep, biasOf(block, channel + ${row}), slope`;
      return `if (left > ${row}) ${store}(${where}, ${totals.join(', ')});`;
    }),
  ];
}
