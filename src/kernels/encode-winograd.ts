/** The parameter blocks of Winograd calls. */

import type { ConvolveCall } from '../tensor/call.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { tilesOf, winogradLayout, type ConvolveWinogradCall, type TransformWeightsCall } from '../tensor/winograd.ts';
import { float32, room, viewWords } from './block.ts';

/** Working memory inside the block: a vector for each of nine taps. */
const GATHERED_WORDS = 36;

/** Tiles in a row of the products. */
const ROW_TILES = 8;

export function transformWeightsBlock(call: TransformWeightsCall): readonly number[] {
  const { weights, packed, frequencyStride, rows, columns, taps } = call;
  const strides = [call.rowStride * FLOAT_BYTES, call.columnStride * FLOAT_BYTES];
  const tapBytes = taps.map((tap) => tap * FLOAT_BYTES);
  return [weights, packed, frequencyStride, rows, columns, ...strides, ...tapBytes, ...room(GATHERED_WORDS)];
}

/** The products of one frequency as a convolution with one tap, over rows of eight tiles. */
export function productOf({ source, target, packed, scratch }: ConvolveWinogradCall): ConvolveCall {
  const columns = source.extent[1];
  const { tiles, rows, rowBytes, values, products } = winogradLayout(columns, target);
  const matrix = (offset: number, channels: number): View => ({
    offset: scratch + offset,
    extent: [1, channels, tiles / ROW_TILES, ROW_TILES],
    strides: [0, rowBytes, ROW_TILES * FLOAT_BYTES, FLOAT_BYTES],
  });
  const views = { source: matrix(values, columns), target: matrix(products, rows) };
  return { kind: 'convolve', ...views, packed, taps: [0], bias: 0, slope: 1 };
}

/** @param product the block of {@link productOf} */
export function winogradBlock(
  call: ConvolveWinogradCall,
  product: readonly number[],
  wide: boolean,
): readonly number[] {
  const { source, target, packed, frequencyStride, bias, slope, scratch } = call;
  const layout = winogradLayout(source.extent[1], target);
  const { tiles, rows, rowBytes, valueStride, productStride } = layout;
  const memory = [scratch + layout.values, scratch + layout.products, productStride];
  const stretch = [target.extent[2], target.extent[3], 0, 0, rowBytes, valueStride, scratch, wide ? 1 : 0];
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
