/** The weight gradient of a 3x3 convolution by the adjoint of Winograd's F(4x4, 3x3): its kernel call, and the working memory it wants. */

import { FLOAT_BYTES, type View } from './view.ts';
import { FREQUENCIES, roundUp, tilesOf } from './winograd.ts';

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

/** Output channels at a time, as in assembly/winograd-gradient.ts: they lie side by side. */
export const OUTPUT_GROUP = 16;

/** Tiles that go in one block, and input channels at a time. Sums are those of one group of output channels then. */
const ALL_TILES = 128;
const ALL_TILES_INPUTS = 128;

/** Where there are more tiles: those of a block, and input channels at a time, whose sums with all output channels are kept. */
const BLOCK_TILES = 48;
const BLOCK_INPUTS = 64;

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
  /** Tiles at a time, and input channels. */
  readonly tiles: number;
  readonly inputs: number;
  /** Values of the input, channels times tiles, behind the memory of the transforms; from a channel, and from a frequency, to the next one. */
  readonly values: number;
  readonly rowBytes: number;
  readonly valueStride: number;
  /** Values of the gradient, of a group of output channels: 36 matrices of tiles times channels. */
  readonly gradients: number;
  readonly gradientStride: number;
  /** Sums: for each group 36 matrices of input channels times output channels. */
  readonly sums: number;
  readonly sumStride: number;
  readonly bytes: number;
}

/** The working memory of a weight gradient for `channels` input channels. */
export function winogradWeightsLayout(channels: number, gradient: View): WinogradWeightsLayout {
  const count = tilesOf(gradient);
  const alone = count <= ALL_TILES;
  // They decide the order of sums, so they depend on nothing that threads share. Blocks are of near-equal size.
  const tiles = alone ? count : Math.ceil(count / Math.ceil(count / BLOCK_TILES));
  const inputs = Math.min(alone ? ALL_TILES_INPUTS : BLOCK_INPUTS, channels);
  const groups = alone ? 1 : Math.ceil(gradient.extent[1] / OUTPUT_GROUP);
  const rowBytes = roundUp((tiles + SLACK_TILES) * FLOAT_BYTES, VECTOR_BYTES);
  const valueStride = roundUp(inputs * rowBytes, LINE_BYTES) + LINE_BYTES;
  const groupBytes = OUTPUT_GROUP * FLOAT_BYTES;
  const gradientStride = tiles * groupBytes + LINE_BYTES;
  const sumStride = roundUp(inputs, INPUT_GROUP) * groupBytes + LINE_BYTES;
  const gradients = TRANSFORM_BYTES + FREQUENCIES * valueStride;
  const sums = gradients + FREQUENCIES * gradientStride;
  const bytes = sums + groups * FREQUENCIES * sumStride;
  const matrices = { values: TRANSFORM_BYTES, valueStride, gradients, gradientStride, sums, sumStride };
  return { tiles, inputs, rowBytes, ...matrices, bytes };
}
