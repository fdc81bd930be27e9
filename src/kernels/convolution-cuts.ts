/** Cuts of convolutions: by samples, blocks of output channels, pairs of rows; weight gradients by output channels or taps. */

import {
  PACKED_ROWS_CUT,
  packedWeightsBytes,
  type ConvolveCall,
  type ConvolveDepthwiseCall,
  type ConvolveDepthwiseWeightsCall,
  type ConvolveWeightsCall,
  type KernelCall,
  type PackWeightsCall,
} from '../tensor/call.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import type { ConvolveWinogradCall } from '../tensor/winograd.ts';
import { along, cutOf, type Cut } from './cut.ts';

/** Register tiles pair rows of few pixels. */
const ROW_PAIR = 2;

/** Tiles of weight gradients take up to six output channels, and none of them alone. */
const GRADIENT_BLOCK = 4;

/** By blocks of rows, as they are packed. */
export function packWeightsCuts(call: PackWeightsCall): readonly Cut[] {
  return [cutOf(call.rows, (start, end) => packWeightsPart(call, start, end), PACKED_ROWS_CUT)];
}

function packWeightsPart(call: PackWeightsCall, start: number, end: number): KernelCall {
  return {
    ...call,
    weights: call.weights + start * call.rowStride * FLOAT_BYTES,
    packed: call.packed + packedWeightsBytes(start, call.columns, call.taps.length),
    rows: end - start,
  };
}

/** By samples, channels or rows. */
export function convolveCuts(call: ConvolveCall): readonly Cut[] {
  const { source, target, taps } = call;
  const [samples, rows, height, width] = target.extent;
  const columns = source.extent[1];
  const weightBytes = packedWeightsBytes(rows, columns, taps.length);
  const sourceBytes = samples * columns * height * width * FLOAT_BYTES;
  return samplesChannelsRows(call, { taps: taps.length, rowUnit: ROW_PAIR, weightBytes, sourceBytes });
}

/** How a convolution's weights are packed, which rows stay together, and what parts by channels, or the others, read in common. */
interface Shares {
  /** Taps that lie side by side in the packed weights. */
  readonly taps: number;
  readonly rowUnit: number;
  readonly weightBytes: number;
  readonly sourceBytes: number;
}

/** The cuts of a convolution from source to target by packed weights. */
export function samplesChannelsRows(
  call: ConvolveCall | ConvolveWinogradCall,
  { taps, rowUnit, weightBytes, sourceBytes }: Shares,
): readonly Cut[] {
  const { source, target, packed, bias } = call;
  const [samples, rows, height] = target.extent;
  const slices = (axis: 0 | 2) => (start: number, end: number) => ({
    ...call,
    source: along(source, axis, start, end),
    target: along(target, axis, start, end),
  });
  const channels = (start: number, end: number): KernelCall => ({
    ...call,
    target: along(target, 1, start, end),
    packed: packed + packedWeightsBytes(start, source.extent[1], taps),
    bias: bias === 0 ? 0 : bias + start * FLOAT_BYTES,
  });
  return [
    cutOf(samples, slices(0), 1, weightBytes),
    cutOf(rows, channels, PACKED_ROWS_CUT, sourceBytes),
    cutOf(height, slices(2), rowUnit, weightBytes),
  ];
}

/** By output channels, or by taps where there are few channels. */
export function convolveWeightsCuts(call: ConvolveWeightsCall): readonly Cut[] {
  const { source, gradient, taps, tapIndex, kernelTaps, target } = call;
  const [samples, , height, width] = gradient.extent;
  const inputs = source.extent[1];
  const planeBytes = samples * height * width * FLOAT_BYTES;
  const channels = (start: number, end: number): KernelCall => ({
    ...call,
    gradient: along(gradient, 1, start, end),
    target: target + start * inputs * kernelTaps * FLOAT_BYTES,
  });
  const someTaps = (start: number, end: number): KernelCall => ({
    ...call,
    taps: taps.slice(start, end),
    tapIndex: tapIndex.slice(start, end),
  });
  return [
    cutOf(gradient.extent[1], channels, GRADIENT_BLOCK, inputs * planeBytes),
    cutOf(taps.length, someTaps, 1, (inputs + gradient.extent[1]) * planeBytes),
  ];
}

/** By samples, channels or rows. */
export function convolveDepthwiseCuts(call: ConvolveDepthwiseCall): readonly Cut[] {
  const { source, target, weights, kernelTaps, bias } = call;
  const slices = (axis: 0 | 1 | 2) => (start: number, end: number) => ({
    ...call,
    source: along(source, axis, start, end),
    target: along(target, axis, start, end),
  });
  const channels = (start: number, end: number): KernelCall => ({
    ...slices(1)(start, end),
    weights: weights + start * kernelTaps * FLOAT_BYTES,
    bias: bias === 0 ? 0 : bias + start * FLOAT_BYTES,
  });
  const [samples, count, height] = target.extent;
  return [cutOf(samples, slices(0)), cutOf(count, channels), cutOf(height, slices(2), ROW_PAIR)];
}

/** By channels. */
export function convolveDepthwiseWeightsCuts(call: ConvolveDepthwiseWeightsCall): readonly Cut[] {
  const { source, gradient, target, kernelTaps } = call;
  const channels = (start: number, end: number): KernelCall => ({
    ...call,
    source: along(source, 1, start, end),
    gradient: along(gradient, 1, start, end),
    target: target + start * kernelTaps * FLOAT_BYTES,
  });
  return [cutOf(gradient.extent[1], channels)];
}
