/** The weight gradient of a 3x3 convolution by the adjoint of Winograd's F(4x4, 3x3): its kernel call, and the working memory it wants. */

import { FLOAT_BYTES, type View } from './view.ts';
import { FREQUENCIES, tilesOf } from './winograd.ts';

/**
 * Weight gradient of a 3x3 convolution at stride 1:
 * target[(co·inputs + ci)·9 + 3·u + v] = Σ_n Σ_y Σ_x gradient[n, co, y, x] · source[n, ci, y + u, x + v].
 * Gradient rows are followed by zeros up to a multiple of 4 pixels; of the source nothing is read beyond two rows and two columns more than the
 * gradient has. Float32 sums run over at most {@link winogradWeightsLayout}'s `tiles` tiles, then over these blocks; results are within
 * 2e-5 of the formula.
 */
export interface ConvolveWinogradWeightsCall {
  readonly kind: 'convolveWinogradWeights';
  readonly source: View;
  readonly gradient: View;
  readonly target: number;
  /** Working memory of {@link winogradWeightsLayout}'s `bytes`, 64-byte aligned. */
  readonly scratch: number;
}

/** Output channels that lie side by side, as in assembly/winograd-gradient.ts. */
export const OUTPUT_GROUP = 16;

/** Channels at a time, at most: the values of the input, which are used again and again, fit the second cache with what they meet. */
const BLOCK_INPUTS = 64;
const BLOCK_OUTPUTS = 32;

/** Tiles that go in one block; of more, blocks have at most so many. */
const ALL_TILES = 128;
const BLOCK_TILES = 64;

/** Tiles that the transform of the input stores behind the last one. */
const SLACK_TILES = 8;

/** Input channels are multiplied by fours. */
const INPUT_GROUP = 4;

const VECTOR_BYTES = 16;
const LINE_BYTES = 64;

/** Working memory of the transforms: a stretch of 32 tiles of sixteen output channels and a row of zeros, in assembly/winograd-gradient.ts. */
const TRANSFORM_BYTES = 50_688;

/** How the working memory of a call is laid out. Distances are in bytes. */
export interface WinogradWeightsLayout {
  /** Tiles at a time, and channels. */
  readonly tiles: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Values of the input, channels times tiles, behind the memory of the transforms; from a channel, and from a frequency, to the next one. */
  readonly values: number;
  readonly rowBytes: number;
  readonly valueStride: number;
  /** Values of the gradient, by groups of output channels: in each 36 matrices of tiles times channels. */
  readonly gradients: number;
  readonly gradientStride: number;
  /** Sums, likewise: in each group 36 matrices of input channels times output channels. */
  readonly sums: number;
  readonly sumStride: number;
  readonly bytes: number;
}

/** The working memory of a weight gradient for `channels` input channels. */
export function winogradWeightsLayout(channels: number, gradient: View): WinogradWeightsLayout {
  const count = tilesOf(gradient);
  const tiles = blockOf(count);
  const inputs = Math.min(BLOCK_INPUTS, channels);
  const allGroups = Math.ceil(gradient.extent[1] / OUTPUT_GROUP);
  const groups = Math.min(BLOCK_OUTPUTS / OUTPUT_GROUP, allGroups);
  const rowBytes = roundUp((tiles + SLACK_TILES) * FLOAT_BYTES, VECTOR_BYTES);
  const valueStride = roundUp(inputs * rowBytes, LINE_BYTES) + LINE_BYTES;
  const groupBytes = OUTPUT_GROUP * FLOAT_BYTES;
  const gradientStride = tiles * groupBytes + LINE_BYTES;
  const sumStride = roundUp(inputs, INPUT_GROUP) * groupBytes + LINE_BYTES;
  const gradients = TRANSFORM_BYTES + FREQUENCIES * valueStride;
  const sums = gradients + groups * FREQUENCIES * gradientStride;
  const bytes = sums + (tiles < count ? allGroups : groups) * FREQUENCIES * sumStride;
  const matrices = { values: TRANSFORM_BYTES, valueStride, gradients, gradientStride, sums, sumStride };
  return { tiles, inputs, outputs: groups * OUTPUT_GROUP, rowBytes, ...matrices, bytes };
}

/** Blocks of near-equal size. They decide the order of sums, so they depend on nothing that threads share. */
function blockOf(tiles: number): number {
  return tiles <= ALL_TILES ? tiles : Math.ceil(tiles / Math.ceil(tiles / BLOCK_TILES));
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
