/** Cuts of Winograd convolutions: by samples, blocks of output channels, rows of tiles; weight gradients by output channels. */

import { PACKED_ROWS_CUT, packedWeightsBytes, type KernelCall } from '../tensor/call.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import {
  FREQUENCIES,
  TILE_EXTENT,
  WINOGRAD_KERNEL,
  type ConvolveWinogradCall,
  type TransformWeightsCall,
} from '../tensor/winograd.ts';
import { OUTPUT_GROUP, type ConvolveWinogradWeightsCall } from '../tensor/winograd-weights.ts';
import { samplesChannelsRows } from './convolution-cuts.ts';
import { along, cutOf, type Cut } from './cut.ts';

/** By blocks of rows, as they are packed. */
export function transformWeightsCuts(call: TransformWeightsCall): readonly Cut[] {
  const part = (start: number, end: number): KernelCall => ({
    ...call,
    weights: call.weights + start * call.rowStride * FLOAT_BYTES,
    packed: call.packed + packedWeightsBytes(start, call.columns, 1),
    rows: end - start,
  });
  return [cutOf(call.rows, part, PACKED_ROWS_CUT)];
}

/** By samples, channels or rows of tiles. Parts by channels transform the same input again. */
export function convolveWinogradCuts(call: ConvolveWinogradCall): readonly Cut[] {
  const [samples, rows, height, width] = call.target.extent;
  const columns = call.source.extent[1];
  const weightBytes = FREQUENCIES * packedWeightsBytes(rows, columns, 1);
  const tileBytes = (samples * height * width * FREQUENCIES * FLOAT_BYTES) / TILE_EXTENT ** 2;
  return samplesChannelsRows(call, { taps: 1, rowUnit: TILE_EXTENT, weightBytes, sourceBytes: columns * tileBytes });
}

/** By groups of output channels. Each part transforms the same input again. */
export function convolveWinogradWeightsCuts(call: ConvolveWinogradWeightsCall): readonly Cut[] {
  const { source, gradient, target } = call;
  const part = (start: number, end: number): KernelCall => ({
    ...call,
    gradient: along(gradient, 1, start, end),
    target: target + start * source.extent[1] * WINOGRAD_KERNEL ** 2 * FLOAT_BYTES,
  });
  return [cutOf(gradient.extent[1], part, OUTPUT_GROUP)];
}
