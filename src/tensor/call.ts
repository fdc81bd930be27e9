/**
 * Kernel calls: the vocabulary that a program is written in and that kernels execute, over one arena.
 *
 * Every offset, stride and size is in bytes unless its name says otherwise. Views of float32 data are 4-byte aligned, the
 * storage they lie in 64-byte aligned. What a call reads as border or tail was cleared before. No call reads or
 * writes outside the storage that its fields describe; all sums run in one fixed order that depends on the call alone.
 */

import type { Border, View } from './view.ts';
import type { ConvolveWinogradWeightsCall } from './winograd-weights.ts';
import type { ConvolveWinogradCall, TransformWeightsCall } from './winograd.ts';

/** Sets `bytes` (a multiple of 4) bytes at `offset` to zero. */
export interface ZeroCall {
  readonly kind: 'zero';
  readonly offset: number;
  readonly bytes: number;
}

/** Zeroes the border (not the inside) of every plane of a view: rows and columns around extent[2] x extent[3]. */
export interface ClearBorderCall {
  readonly kind: 'clearBorder';
  readonly view: View;
  readonly border: Border;
}

/** target = source, element by element; equal extents, any strides (also along pixels). */
export interface CopyCall {
  readonly kind: 'copy';
  readonly source: View;
  readonly target: View;
}

/** target += source, element by element; equal extents, any strides. */
export interface AddCall {
  readonly kind: 'add';
  readonly source: View;
  readonly target: View;
}

/**
 * Writes a view, in n, c, y, x order, into a message that is sent in chunks with room for a header before each.
 * Byte b of the message (start + position in the view) lies at `offset + b + floor(b / chunkBytes) · gapBytes`.
 */
export interface PackCall {
  readonly kind: 'pack';
  readonly source: View;
  readonly offset: number;
  readonly start: number;
  readonly chunkBytes: number;
  readonly gapBytes: number;
}

/** target = (byte / 255 - mean) / deviation; source strides are in bytes of unsigned 8-bit pixels; both extents equal. */
export interface PixelsCall {
  readonly kind: 'pixels';
  readonly source: View;
  readonly target: View;
  readonly mean: number;
  readonly deviation: number;
}

/**
 * Arranges convolution weights for {@link ConvolveCall}: blocks of 4 rows, in each block column by column, tap by tap, 4 floats:
 * packed[block][column][tap][lane] = weights[(4·block + lane)·rowStride + column·columnStride + taps[tap]] (floats), 0 beyond `rows`.
 * An engine of fused multiply-adds makes blocks of six, six and four rows in turn, of no more bytes. The next sixteen rows begin a block.
 * Forward: rows are output channels, columns input channels, taps 0..k²-1. Backward: rows are input channels, taps mirrored.
 */
export interface PackWeightsCall {
  readonly kind: 'packWeights';
  readonly weights: number;
  readonly packed: number;
  readonly rows: number;
  readonly columns: number;
  /** Floats between rows, and between columns, of the weights as PyTorch lays them out (OIHW). */
  readonly rowStride: number;
  readonly columnStride: number;
  /** Float index of each tap inside one k x k kernel. */
  readonly taps: readonly number[];
}

/**
 * Direct convolution at stride 1 over planes with their halo, the work of forward and of the input gradient:
 * target[n, r, y, x] = act(bias[r] + Σ_c Σ_tap packed[r][c][tap] · source[n, c, (y, x) at + taps[tap] bytes]).
 * `source.offset` is the pixel that tap offset 0 of output (0, 0) reads; `source.extent` is not used beyond extent[1] (columns).
 * Source and target rows have pixel stride 4. Rows r beyond target.extent[1] are not stored.
 * Each output is a float32 sum that begins anew after every chunk of columns of at most 288 terms; chunks are added in order.
 */
export interface ConvolveCall {
  readonly kind: 'convolve';
  readonly source: View;
  readonly target: View;
  readonly packed: number;
  /** Byte offset of each tap from the output's pixel pointer, in the order of the packed weights. */
  readonly taps: readonly number[];
  /** Offset of one float per row, or 0 for none (offset 0 of an arena is never a tensor). */
  readonly bias: number;
  /** Slope of negative values: 1 identity, 0 ReLU, else leaky ReLU. */
  readonly slope: number;
}

/**
 * Weight gradient of a convolution:
 * weights[(co·inputs + ci)·kernelTaps + tapIndex[t]] = Σ_n Σ_y Σ_x gradient[n, co, y, x] · source[n, ci, (y, x) at + taps[t] bytes].
 * Four float32 lanes cover at most 512 terms together, then are added in float64 in a fixed order.
 * Gradient rows are followed by zeros up to a multiple of 4 pixels; source is finite where those are read, and between rows.
 */
export interface ConvolveWeightsCall {
  readonly kind: 'convolveWeights';
  readonly source: View;
  readonly gradient: View;
  readonly taps: readonly number[];
  readonly tapIndex: readonly number[];
  readonly kernelTaps: number;
  readonly target: number;
  /** Working memory of {@link convolveWeightsScratch} bytes, 64-byte aligned. */
  readonly scratch: number;
}

/**
 * Depthwise convolution at stride 1 over planes with their halo, the work of forward and, with mirrored taps, of the input gradient:
 * target[n, c, y, x] = act(bias[c] + Σ_t weights[c·kernelTaps + tapIndex[t]] · source[n, c, (y, x) at + taps[t] bytes]).
 * Weights lie as PyTorch has them (channels x 1 x k x k). Each output is one float32 sum, tap by tap.
 * Source and target have pixel stride 4 and the same channels; `source.offset` is as in {@link ConvolveCall}.
 */
export interface ConvolveDepthwiseCall {
  readonly kind: 'convolveDepthwise';
  readonly source: View;
  readonly target: View;
  readonly weights: number;
  readonly taps: readonly number[];
  readonly tapIndex: readonly number[];
  readonly kernelTaps: number;
  /** Offset of one float per channel, or 0 for none. */
  readonly bias: number;
  /** As in {@link ConvolveCall}. */
  readonly slope: number;
}

/**
 * Weight gradient of a depthwise convolution:
 * target[c·kernelTaps + tapIndex[t]] = Σ_n Σ_y Σ_x gradient[n, c, y, x] · source[n, c, (y, x) at + taps[t] bytes].
 * Sums, and what lies behind the rows, as in {@link ConvolveWeightsCall}.
 */
export interface ConvolveDepthwiseWeightsCall {
  readonly kind: 'convolveDepthwiseWeights';
  readonly source: View;
  readonly gradient: View;
  readonly taps: readonly number[];
  readonly tapIndex: readonly number[];
  readonly kernelTaps: number;
  readonly target: number;
}

/** target[c] = Σ_n Σ_y Σ_x source[n, c, y, x]: bias gradients; float32 lane partials over at most 512 terms, then float64. */
export interface SumPlanesCall {
  readonly kind: 'sumPlanes';
  readonly source: View;
  readonly target: number;
}

/** gradient *= output > 0 ? 1 : slope, in place: the derivative of (leaky) ReLU from its output. */
export interface ActivationBackwardCall {
  readonly kind: 'activationBackward';
  readonly output: View;
  readonly gradient: View;
  readonly slope: number;
}

/**
 * Max pooling. The window of output (y, x) starts at source row `originY + y·stride`, column `originX + x·stride` (may be negative) and
 * is clipped to the source's extent. A NaN in a window gives NaN.
 */
export interface MaxPoolCall {
  readonly kind: 'maxPool';
  readonly source: View;
  readonly target: View;
  readonly kernel: number;
  readonly stride: number;
  readonly originY: number;
  readonly originX: number;
}

/**
 * Sets `sourceGradient` to zero, then adds each target gradient at its window's maximum: the first one in row-major order. Then, where
 * the source is the output of an activation and a bias, what {@link ActivationBackwardCall} and {@link SumPlanesCall} do, with the same bits:
 * sourceGradient *= source > 0 ? 1 : slope; sums[c] = Σ_n Σ_y Σ_x sourceGradient[n, c, y, x].
 */
export interface MaxPoolBackwardCall {
  readonly kind: 'maxPoolBackward';
  readonly source: View;
  readonly targetGradient: View;
  readonly sourceGradient: View;
  readonly kernel: number;
  readonly stride: number;
  readonly originY: number;
  readonly originX: number;
  /** 1 leaves the gradient as it is; else pixels of source and source gradient have stride 4. */
  readonly slope: number;
  /** Offset of one float per channel, or 0 for none; pixels of the source gradient then have stride 4. */
  readonly sums: number;
}

/** target[n, o] = act(bias[o] + Σ_i weights[o, i] · source[n, i]); rows of n are strides[0] apart, values 4 bytes apart. */
export interface DenseCall {
  readonly kind: 'dense';
  readonly source: View;
  readonly target: View;
  readonly weights: number;
  readonly bias: number;
  readonly slope: number;
}

/** sourceGradient[n, i] = Σ_o targetGradient[n, o] · weights[o, i]. */
export interface DenseInputCall {
  readonly kind: 'denseInput';
  readonly targetGradient: View;
  readonly sourceGradient: View;
  readonly weights: number;
  /** Bytes from the weights of an output to those of the next: more than those of the inputs where these are a part of the layer's. */
  readonly weightsRow: number;
}

/** target[o, i] = Σ_n targetGradient[n, o] · source[n, i]; at most 128 terms in float32, then float64. */
export interface DenseWeightsCall {
  readonly kind: 'denseWeights';
  readonly source: View;
  readonly targetGradient: View;
  readonly target: number;
}

/**
 * Softmax cross-entropy over classes (axis c; h = w = 1) of the owned samples, in float64 with exp and log of our own:
 * gradient = (softmax - onehot) / count; metrics[0] = Σ -log p(label) / count; metrics[1] = correct answers (first maximum);
 * metrics[2 + rank] = 1 where the loss is not finite, else 0. Other metrics are set to 0.
 */
export interface SoftmaxCrossEntropyCall {
  readonly kind: 'softmaxCrossEntropy';
  readonly logits: View;
  /** Offset of one int32 per sample of the view. */
  readonly labels: number;
  readonly gradient: View;
  /** Samples of the whole (global) batch. */
  readonly count: number;
  readonly metrics: number;
  readonly metricsLength: number;
  readonly rank: number;
}

/** Mean of squares of the output: gradient = 2·output / count; metrics[0] = Σ output² / count (float64); rest as above, metrics[1] = 0. */
export interface MeanSquaresCall {
  readonly kind: 'meanSquares';
  readonly output: View;
  readonly gradient: View;
  /** Elements of the whole (global) output. */
  readonly count: number;
  readonly metrics: number;
  readonly metricsLength: number;
  readonly rank: number;
}

/**
 * SGD as PyTorch defines it, over `length` floats: g = gradient + weightDecay·w; m = momentum·m + g; w -= rate·m.
 * `momentum` is 0 (an offset that no tensor has) when the coefficient is 0: then w -= rate·g.
 */
export interface SgdCall {
  readonly kind: 'sgd';
  readonly weights: number;
  readonly gradient: number;
  readonly momentum: number;
  readonly length: number;
  /** Offset of one float32, the learning rate: it may change from step to step. */
  readonly rate: number;
  readonly coefficient: number;
  readonly weightDecay: number;
}

/** Folds `bytes` (a multiple of 4) at `offset` into the 32-bit checksum at `target`; order matters, position too. */
export interface ChecksumCall {
  readonly kind: 'checksum';
  readonly offset: number;
  readonly bytes: number;
  readonly target: number;
}

export type KernelCall =
  | ZeroCall
  | ClearBorderCall
  | CopyCall
  | AddCall
  | PackCall
  | PixelsCall
  | PackWeightsCall
  | ConvolveCall
  | ConvolveWeightsCall
  | ConvolveDepthwiseCall
  | ConvolveDepthwiseWeightsCall
  | TransformWeightsCall
  | ConvolveWinogradCall
  | ConvolveWinogradWeightsCall
  | SumPlanesCall
  | ActivationBackwardCall
  | MaxPoolCall
  | MaxPoolBackwardCall
  | DenseCall
  | DenseInputCall
  | DenseWeightsCall
  | SoftmaxCrossEntropyCall
  | MeanSquaresCall
  | SgdCall
  | ChecksumCall;

/** Rows of packed weights are grouped in blocks of this many, in the reference and in mode strict. */
export const ROW_BLOCK = 4;

/** Packed weights can be cut into parts of a multiple of this many rows, whatever their blocks are. */
export const PACKED_ROWS_CUT = 16;

/** Bytes of packed weights. */
export function packedWeightsBytes(rows: number, columns: number, taps: number): number {
  return Math.ceil(rows / ROW_BLOCK) * ROW_BLOCK * columns * taps * 4;
}

/** Output channels that a weight gradient sums up at once, at most; what one of them takes in a chunk, packed, and the lane sums of a tile. */
const GRADIENT_ROWS = 6;
const GRADIENT_PLANE_BYTES = 4160;
const GRADIENT_TILE_BYTES = 384;

/** Bytes of working memory of a {@link ConvolveWeightsCall}: a tile, a chunk, and offset and float64 sums of each pair, with room for two pairs more. */
export function convolveWeightsScratch(inputs: number, taps: number): number {
  const pairs = inputs * taps + 2;
  return GRADIENT_TILE_BYTES + GRADIENT_ROWS * GRADIENT_PLANE_BYTES + pairs * (4 + GRADIENT_ROWS * 8);
}
