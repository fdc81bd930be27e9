/**
 * Writes the register tiles of the kernels, which AssemblyScript, having no macros, would need by hand: one long row of lines like
 * the next for every shape. Run by `npm run build:kernels` before the compiler; what it writes is not kept.
 */

import { mkdirSync, writeFileSync } from 'node:fs';

import { CONVOLVE_IMPORTS, convolveTile, type ConvolveTile, type TapKind } from './convolve-tile.ts';
import { DOTS_IMPORTS, dotsTile } from './dots-tile.ts';
import { GRADIENT_IMPORTS, chunkConstants, gradientTile, type GradientTile } from './gradient-tile.ts';
import { GATHER_IMPORTS, gatherTile } from './gather-tile.ts';
import { PAIRS_IMPORTS, pairsTile, type PairsTile } from './pairs-tile.ts';
import { PEAK_IMPORTS, peak, peakFlops } from './peak.ts';
import { PRODUCT_IMPORTS, productTile, type ProductTile } from './product-tile.ts';
import { WINOGRAD_GRADIENT_IMPORTS, gradientColumns, gradientRows, tapSums } from './winograd-gradient.ts';
import { WINOGRAD_IMPORTS, inputColumns, inputRows, kernels, outputs } from './winograd.ts';

const DIRECTORY = new URL('../assembly/generated/', import.meta.url);

const TAP_KINDS: readonly TapKind[] = ['three', 'one', 'any'];

/** Eight pixels fill sixteen registers of four floats: four rows with a product on its way, six where it is fused with its addition. */
const SHAPES = [
  { rows: 4, vectors: 1 },
  { rows: 4, vectors: 2 },
  { rows: 6, vectors: 1 },
  { rows: 6, vectors: 2 },
] as const;

const CONVOLVE_TILES: readonly ConvolveTile[] = TAP_KINDS.flatMap((taps) =>
  SHAPES.map((shape): ConvolveTile => ({ taps, beside: 4, ...shape })),
);

/** What is left at the ends of rows. */
const CONVOLVE_REMAINDERS: readonly ConvolveTile[] = TAP_KINDS.flatMap((taps) =>
  ([2, 1] as const).flatMap((beside) =>
    ([4, 6] as const).map((rows): ConvolveTile => ({ taps, rows, vectors: 1, beside })),
  ),
);

/** Six planes where a multiply-add is one operation; a product on its way wants a register. */
const GRADIENT_TILES: readonly GradientTile[] = [
  { planes: 3, pairs: 3, wide: false },
  { planes: 4, pairs: 2, wide: false },
  { planes: 6, pairs: 2, wide: false },
  { planes: 4, pairs: 2, wide: true },
  { planes: 6, pairs: 2, wide: true },
];

const PRODUCT_TILES: readonly ProductTile[] = [6, 4].flatMap((rows) => [4, 2].map((vectors) => ({ rows, vectors })));

const PAIRS_TILES: readonly PairsTile[] = [6, 4].flatMap((inputs) => [4, 2].map((vectors) => ({ inputs, vectors })));

const NOTICE = '/** Written by src/kernels/generate/main.ts. */\n';

function write(name: string, imports: string, functions: readonly string[]): void {
  writeFileSync(new URL(name, DIRECTORY), [NOTICE, imports, ...functions].join('\n'));
}

mkdirSync(DIRECTORY, { recursive: true });
write('convolve.ts', CONVOLVE_IMPORTS, [...CONVOLVE_TILES, ...CONVOLVE_REMAINDERS].map(convolveTile));
write('gather.ts', GATHER_IMPORTS, [4, 6].map(gatherTile));
write('dots.ts', DOTS_IMPORTS, [dotsTile({ a: 4, b: 2 })]);
write('gradients.ts', GRADIENT_IMPORTS, [chunkConstants(), ...GRADIENT_TILES.map(gradientTile)]);
write('pairs.ts', PAIRS_IMPORTS, PAIRS_TILES.map(pairsTile));
write('peak.ts', PEAK_IMPORTS, [peakFlops(), ...[false, true].map(peak)]);
write('products.ts', PRODUCT_IMPORTS, PRODUCT_TILES.map(productTile));
write('winograd.ts', WINOGRAD_IMPORTS, [
  ...[1, 2].flatMap((vectors) => [inputColumns(vectors), inputRows(vectors), outputs(vectors)]),
  ...[false, true].flatMap((mirrored) => [kernels('rows', mirrored), kernels('columns', mirrored)]),
]);
write('winograd-gradient.ts', WINOGRAD_GRADIENT_IMPORTS, [
  ...[1, 2].flatMap((vectors) => [gradientColumns(vectors), tapSums(vectors)]),
  gradientRows(),
]);
