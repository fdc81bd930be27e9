/** The parameter blocks of Winograd calls. */

import { FLOAT_BYTES } from '../tensor/view.ts';
import { tilesOf, winogradLayout, type ConvolveWinogradCall, type TransformWeightsCall } from '../tensor/winograd.ts';
import { float32, viewWords } from './block.ts';

/** Bytes of values, all channels together, that a core keeps in its first cache while it multiplies them, and tiles that are multiplied together. */
const PANEL_BYTES = 16 * 1024;
const PANEL_TILES = 16;

export function transformWeightsBlock(call: TransformWeightsCall): readonly number[] {
  const { weights, packed, frequencyStride, rows, columns, mirrored } = call;
  const strides = [call.rowStride * FLOAT_BYTES, call.columnStride * FLOAT_BYTES];
  return [weights, packed, frequencyStride, rows, columns, ...strides, mirrored ? 1 : 0];
}

/** @param wide whether the engine makes one register of two vectors side by side */
export function winogradBlock(call: ConvolveWinogradCall, wide: boolean): readonly number[] {
  const { source, target, packed, frequencyStride, bias, slope, scratch } = call;
  const columns = source.extent[1];
  const layout = winogradLayout(columns, target);
  const { tiles, rows, rowBytes, valueStride, productStride } = layout;
  const memory = [scratch + layout.values, scratch + layout.products, productStride];
  const stretch = [target.extent[2], target.extent[3], 0, 0, rowBytes, valueStride, scratch, wide ? 1 : 0];
  const panel = PANEL_TILES * Math.max(1, Math.floor(PANEL_BYTES / (PANEL_TILES * columns * FLOAT_BYTES)));
  const product = [0, 0, columns, 0, rowBytes, 0, panel, 0, rowBytes, wide ? 1 : 0];
  return [
    ...[source, target].flatMap(viewWords),
    packed,
    frequencyStride,
    ...memory,
    tiles,
    tilesOf(target),
    rows,
    bias,
    float32(slope),
    ...stretch,
    ...product,
  ];
}
