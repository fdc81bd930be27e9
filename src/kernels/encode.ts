/**
 * Encoding: kernel calls as the words that `execute` in WebAssembly walks over. Each call is a head of four words (opcode, bytes of
 * the block, two unused) and its block, padded to 16 bytes; the layout of a block is written down at its kernel.
 */

import {
  type ConvolveCall,
  type ConvolveDepthwiseCall,
  type ConvolveWeightsCall,
  type KernelCall,
  type MaxPoolBackwardCall,
  type MaxPoolCall,
  type MeanSquaresCall,
  type PackWeightsCall,
  type SoftmaxCrossEntropyCall,
} from '../tensor/call.ts';
import { FLOAT_BYTES, valuesOf, type View } from '../tensor/view.ts';
import { WORD_BYTES, float32, float64, joinRows, room, viewWords } from './block.ts';
import { applyTo, type PerCall } from './per-call.ts';
import { transformWeightsBlock, winogradBlock } from './encode-winograd.ts';
import { winogradWeightsBlock } from './encode-winograd-weights.ts';
import { rowsTogether, tilePlaces, type PlaceList } from './places.ts';

/** Opcodes; the same as in assembly/index.ts. */
const OPCODES: { readonly [Kind in KernelCall['kind']]: number } = {
  zero: 1,
  clearBorder: 2,
  copy: 3,
  add: 4,
  pack: 5,
  pixels: 6,
  packWeights: 7,
  convolve: 8,
  convolveWeights: 9,
  sumPlanes: 10,
  activationBackward: 11,
  maxPool: 12,
  maxPoolBackward: 13,
  dense: 14,
  denseInput: 15,
  denseWeights: 16,
  softmaxCrossEntropy: 17,
  meanSquares: 18,
  sgd: 19,
  checksum: 20,
  convolveDepthwise: 21,
  convolveDepthwiseWeights: 22,
  transformWeights: 23,
  convolveWinograd: 24,
  convolveWinogradWeights: 25,
};

/** Blocks are padded to a multiple of this. */
const ALIGNMENT_WORDS = 4;

/** Working memory inside blocks, in words: how a weight gradient is laid out, eight float64 sums, a product, its terms, a tile of 32 float64 sums, five float64 sums. */
const GRADIENT_WORDS = 23;
const SUMS_WORDS = 16;
const PRODUCT_WORDS = 7;
const TERMS_WORDS = 5;
const TILE_WORDS = 64;
const TAP_SUMS_WORDS = 10;

/** What a pixel can be: the table of their values is built when the call is executed. */
const BYTE_VALUES = 256;

/** Source bytes of a strip of rows, all channels together, that a core keeps in its second cache. */
const STRIP_BYTES = 128 * 1024;

/** Terms of a convolution's sum after which it begins anew: so float32 rounding stays under 1e-6 however many channels there are. */
const CHUNK_TERMS = 288;

/** Pixels of one vector. */
const VECTOR_PIXELS = 4;

/**
 * The words of a list of calls, which were checked before.
 * @param wide whether the engine makes one register of two vectors side by side
 */
export function encodeCalls(calls: readonly KernelCall[], wide = false): Int32Array {
  const encoded = calls.map((call) => encodeCall(call, wide));
  const result = new Int32Array(encoded.reduce((sum, words) => sum + words.length, 0));
  let at = 0;
  for (const words of encoded) {
    result.set(words, at);
    at += words.length;
  }
  return result;
}

function encodeCall(call: KernelCall, wide: boolean): readonly number[] {
  const words = applyTo(wide ? WIDE_BLOCKS : BLOCKS, call);
  const padding = room((ALIGNMENT_WORDS - (words.length % ALIGNMENT_WORDS)) % ALIGNMENT_WORDS);
  return [OPCODES[call.kind], (words.length + padding.length) * WORD_BYTES, 0, 0, ...words, ...padding];
}

/** The words of each kind's block. */
const BLOCKS: PerCall<readonly number[]> = {
  zero: ({ offset, bytes }) => [offset, bytes],
  clearBorder: ({ view, border }) => [...viewWords(view), border.top, border.bottom, border.left, border.right],
  copy: ({ source, target }) => joinedWords(source, target),
  add: ({ source, target }) => joinedWords(source, target),
  pack: ({ source, offset, start, chunkBytes, gapBytes }) => [
    ...joinedWords(source),
    offset,
    start,
    chunkBytes,
    gapBytes,
  ],
  pixels: ({ source, target, mean, deviation }) => [
    ...viewsWords(source, target),
    ...float64(mean),
    ...float64(deviation),
    ...room(BYTE_VALUES),
  ],
  packWeights: packWeightsBlock,
  convolve: (call) => convolveBlock(call, VECTOR_PIXELS),
  convolveWeights: (call) => convolveWeightsBlock(call, false),
  sumPlanes: ({ source, target }) => [...joinRows([source], 2).flatMap(viewWords), target],
  activationBackward: ({ output, gradient, slope }) => [...joinedWords(output, gradient), float32(slope)],
  maxPool: (call) => [...viewsWords(call.source, call.target), ...windowWords(call)],
  maxPoolBackward: (call) => [
    ...viewsWords(call.source, call.targetGradient, call.sourceGradient, ...joinRows([call.sourceGradient], 2)),
    ...windowWords(call),
    float32(call.slope),
    call.sums,
  ],
  dense: ({ source, target, weights, bias, slope }) => {
    return [...viewsWords(source, target), weights, bias, float32(slope), ...room(SUMS_WORDS)];
  },
  denseInput: ({ targetGradient, sourceGradient, weights, weightsRow }) => {
    return [...viewsWords(targetGradient, sourceGradient), weights, weightsRow, ...productRoom()];
  },
  denseWeights: ({ source, targetGradient, target }) => {
    return [...viewsWords(source, targetGradient), target, valuesOf(source) * FLOAT_BYTES, ...productRoom()];
  },
  softmaxCrossEntropy: (call) => [...viewsWords(call.logits, call.gradient), ...lossWords(call), call.labels],
  meanSquares: (call) => [...joinedWords(call.output, call.gradient), ...lossWords(call), 0],
  sgd: ({ weights, gradient, momentum, length, rate, coefficient, weightDecay }) => {
    return [weights, gradient, momentum, length, rate, float32(coefficient), float32(weightDecay)];
  },
  checksum: ({ offset, bytes, target }) => [offset, bytes, target],
  convolveDepthwise: (call) => {
    const fields = [call.weights, call.kernelTaps * FLOAT_BYTES, call.bias, float32(call.slope), call.taps.length];
    return [...viewsWords(call.source, call.target), ...fields, ...tapPairs(call)];
  },
  convolveDepthwiseWeights: (call) => {
    const fields = [call.target, call.kernelTaps * FLOAT_BYTES, call.taps.length, ...room(TAP_SUMS_WORDS)];
    return [...viewsWords(call.source, call.gradient), ...fields, ...tapPairs(call)];
  },
  transformWeights: transformWeightsBlock,
  convolveWinograd: (call) => winogradBlock(call, false),
  convolveWinogradWeights: (call) => winogradWeightsBlock(call, false),
};

/** The same where the engine makes one register of two vectors side by side. */
const WIDE_BLOCKS: PerCall<readonly number[]> = {
  ...BLOCKS,
  convolve: (call) => convolveBlock(call, 2 * VECTOR_PIXELS),
  convolveWeights: (call) => convolveWeightsBlock(call, true),
  convolveWinograd: (call) => winogradBlock(call, true),
  convolveWinogradWeights: (call) => winogradWeightsBlock(call, true),
};

function viewsWords(...views: readonly View[]): readonly number[] {
  return views.flatMap(viewWords);
}

/** For kernels that treat all elements alike, in order: rows as long as they can be. */
function joinedWords(...views: readonly View[]): readonly number[] {
  return joinRows(views).flatMap(viewWords);
}

function packWeightsBlock(call: PackWeightsCall): readonly number[] {
  const { weights, packed, rows, columns, rowStride, columnStride, taps } = call;
  const strides = [rowStride * FLOAT_BYTES, columnStride * FLOAT_BYTES];
  return [weights, packed, rows, columns, ...strides, taps.length, ...taps.map((tap) => tap * FLOAT_BYTES)];
}

function convolveBlock(call: ConvolveCall, halfPixels: number): readonly number[] {
  const { source, target, packed, bias, slope, taps } = call;
  const channels = source.extent[1];
  const half = target.extent[3] < 2 * VECTOR_PIXELS ? VECTOR_PIXELS : halfPixels;
  const lists = tilePlaces(call, half);
  const together = rowsTogether(lists);
  const rowBytes = Math.max(1, channels * source.strides[2]);
  const stripRows = Math.max(1, Math.floor(STRIP_BYTES / rowBytes / together)) * together;
  const weightBytes = taps.length * FLOAT_BYTES;
  const chunkChannels = Math.max(1, Math.floor(CHUNK_TERMS / Math.max(1, taps.length)));
  const weights = [channels * weightBytes, chunkChannels * weightBytes];
  const shape = [stripRows, tileOf(taps), half, ...weights, taps.length, lists.length];
  const fields = [packed, bias, float32(slope), ...shape];
  return [...viewsWords(source, target), ...fields, ...taps, ...lists.flatMap(placeListWords)];
}

function placeListWords({ rows, beside, stays, places }: PlaceList): readonly number[] {
  return [rows, beside, stays ? 1 : 0, places.length, ...places.flat()];
}

/** Which register tile the taps allow: 3 for three rows of three taps side by side, 1 for one tap, 0 for any. */
function tileOf(taps: readonly number[]): number {
  const first = taps[0]!;
  const row = taps[3]! - first;
  const square = taps.every((tap, t) => tap === first + Math.floor(t / 3) * row + (t % 3) * FLOAT_BYTES);
  if (taps.length === 9 && square) return 3;
  return taps.length === 1 ? 1 : 0;
}

function convolveWeightsBlock(call: ConvolveWeightsCall, wide: boolean): readonly number[] {
  const { source, gradient, target, scratch, kernelTaps, taps, tapIndex } = call;
  const fields = [target, scratch, kernelTaps, taps.length, wide ? 1 : 0, ...room(GRADIENT_WORDS)];
  return [...viewsWords(source, gradient), ...fields, ...taps, ...tapIndex];
}

/** For each tap its byte offset from the pixel, and that in the kernel. */
function tapPairs({ taps, tapIndex }: Pick<ConvolveDepthwiseCall, 'taps' | 'tapIndex'>): readonly number[] {
  return taps.flatMap((tap, t) => [tap, tapIndex[t]! * FLOAT_BYTES]);
}

function windowWords({ kernel, stride, originY, originX }: MaxPoolCall | MaxPoolBackwardCall): readonly number[] {
  return [kernel, stride, originY, originX];
}

function productRoom(): readonly number[] {
  return room(PRODUCT_WORDS + TERMS_WORDS + TILE_WORDS);
}

function lossWords(call: SoftmaxCrossEntropyCall | MeanSquaresCall): readonly number[] {
  return [...float64(call.count), call.metrics, call.metricsLength, call.rank];
}
