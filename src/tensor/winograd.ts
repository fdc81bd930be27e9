/**
 * Winograd's F(4x4, 3x3): kernel calls for 3x3 convolutions at stride 1 that need 36 multiplications where the formula has 144, and
 * how their working memory is laid out.
 */

import { FLOAT_BYTES, type View } from './view.ts';

/**
 * Transforms convolution weights for {@link ConvolveWinogradCall}: G g Gᵀ of every 3x3 kernel g, 36 values, each in a matrix of its own:
 * transformed[frequency] is what a `packWeights` call of one tap would make of value `frequency` of all kernels,
 * `frequencyStride` bytes after that of the frequency before. What lies beyond `rows` is of no use.
 */
export interface TransformWeightsCall {
  readonly kind: 'transformWeights';
  readonly weights: number;
  /** {@link transformedWeightsBytes} bytes, 64-byte aligned. */
  readonly packed: number;
  readonly frequencyStride: number;
  readonly rows: number;
  readonly columns: number;
  /** Floats between rows, and between columns, of the weights as PyTorch lays them out (OIHW). */
  readonly rowStride: number;
  readonly columnStride: number;
  /** Whether the taps of each kernel are read from the last one to the first, as the input gradient wants them. */
  readonly mirrored: boolean;
}

/**
 * Convolution with a 3x3 kernel at stride 1 by Winograd's F(4x4, 3x3), over planes with their halo:
 * target[n, r, y, x] = act(bias[r] + Σ_c Σ_(u, v) weights[r][c][u, v] · source[n, c, y + u, x + v]).
 * Source and target rows have pixel stride 4; extents as in a `convolve` call, and nothing is read that it would not read. Outputs are
 * within 2e-5 of the formula; a value that is not finite spreads over its tile of 4x4 outputs.
 */
export interface ConvolveWinogradCall {
  readonly kind: 'convolveWinograd';
  readonly source: View;
  readonly target: View;
  /** What a `transformWeights` call left. */
  readonly packed: number;
  readonly frequencyStride: number;
  /** Offset of one float per row, or 0 for none. */
  readonly bias: number;
  /** Slope of negative values: 1 identity, 0 ReLU, else leaky ReLU. */
  readonly slope: number;
  /** Working memory of {@link winogradLayout}'s `bytes`, 64-byte aligned. */
  readonly scratch: number;
}

/** Values of a transformed kernel, and of a transformed tile. */
export const FREQUENCIES = 36;

/** Outputs of a tile along an axis. */
export const TILE_EXTENT = 4;

/** Taps of a kernel along an axis. */
export const WINOGRAD_KERNEL = 3;

/** Rows of packed weights go by as many. */
const ROW_BLOCK = 4;

/** Matrices of frequencies begin in different cache sets. */
const LINE_BYTES = 64;

/** Working memory of the transforms of one stretch of tiles; the same as in assembly/winograd-input.ts. */
const TRANSFORM_BYTES = 10_368;

/** Tiles that a core transforms and multiplies at a time, at most, and rows (output channels) that it brings back at a time. */
const BLOCK_TILES = 64;
const BLOCK_ROWS = 64;

/** Tiles are multiplied by eights, and as many more are stored behind them. */
const TILE_GROUP = 8;

/** Bytes from one matrix of transformed weights to the next one. */
export function transformedWeightsStride(rows: number, columns: number): number {
  return roundUp(roundUp(rows, ROW_BLOCK) * columns * FLOAT_BYTES, LINE_BYTES) + LINE_BYTES;
}

/** Bytes of transformed weights. */
export function transformedWeightsBytes(rows: number, columns: number): number {
  return FREQUENCIES * transformedWeightsStride(rows, columns);
}

/** Tiles of 4x4 outputs over all samples of a view. */
export function tilesOf({ extent }: View): number {
  return extent[0] * Math.ceil(extent[2] / TILE_EXTENT) * Math.ceil(extent[3] / TILE_EXTENT);
}

/** How the working memory of a call is laid out. Distances are in bytes. */
export interface WinogradLayout {
  /** Tiles at a time, and rows. */
  readonly tiles: number;
  readonly rows: number;
  /** From a channel's tiles to the next one's: an odd number of cache lines. */
  readonly rowBytes: number;
  /** Values of the input, channels times tiles, behind the memory of the transforms; from one frequency to the next one. */
  readonly values: number;
  readonly valueStride: number;
  /** Products: rows times tiles. */
  readonly products: number;
  readonly productStride: number;
  readonly bytes: number;
}

/** The working memory of a convolution of `columns` input channels to the channels of `target`. */
export function winogradLayout(columns: number, target: View): WinogradLayout {
  const tiles = roundUp(tilesOf(target), TILE_GROUP);
  // Room does not fall with the number of tiles, so that parts of a call need no more than the whole.
  const room = Math.min(BLOCK_TILES, tiles);
  const rows = Math.min(BLOCK_ROWS, roundUp(target.extent[1], ROW_BLOCK));
  const tight = roundUp((room + TILE_GROUP) * FLOAT_BYTES, LINE_BYTES);
  const rowBytes = (tight / LINE_BYTES) % 2 === 0 ? tight + LINE_BYTES : tight;
  const valueStride = columns * rowBytes + LINE_BYTES;
  const productStride = rows * rowBytes + LINE_BYTES;
  const values = roundUp(TRANSFORM_BYTES, LINE_BYTES);
  const products = values + FREQUENCIES * valueStride;
  const bytes = products + FREQUENCIES * productStride;
  return { tiles: evenly(tiles), rows, rowBytes, values, valueStride, products, productStride, bytes };
}

/** Tiles of a block: as even as whole groups allow, because a last block of a few tiles would read all weights for them. */
function evenly(tiles: number): number {
  return roundUp(tiles / Math.max(1, Math.ceil(tiles / BLOCK_TILES)), TILE_GROUP);
}

/** The next multiple of a unit. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
