/** The parameter block of the weight gradient by Winograd. */

import { tilesOf } from '../tensor/winograd.ts';
import { winogradWeightsLayout, type ConvolveWinogradWeightsCall } from '../tensor/winograd-weights.ts';
import { room, viewWords } from './block.ts';

/** Working memory inside the block: a view, and the fields of a step. */
const VIEW_WORDS = 9;
const PAIRS_WORDS = 8;

/** @param wide whether the engine makes one register of two vectors side by side */
export function winogradWeightsBlock(call: ConvolveWinogradWeightsCall, wide: boolean): readonly number[] {
  const { source, gradient, target, scratch } = call;
  const layout = winogradWeightsLayout(source.extent[1], gradient);
  const { tiles, inputs, rowBytes, valueStride, gradientStride, sumStride } = layout;
  const values = [
    scratch + layout.values,
    scratch + layout.gradients,
    gradientStride,
    scratch + layout.sums,
    sumStride,
  ];
  const stretch = [gradient.extent[2], gradient.extent[3], 0, 0, rowBytes, valueStride, scratch, wide ? 1 : 0];
  return [
    ...[source, gradient].flatMap(viewWords),
    target,
    inputs,
    tiles,
    tilesOf(gradient),
    ...values,
    ...stretch,
    ...room(VIEW_WORDS + PAIRS_WORDS),
  ];
}
