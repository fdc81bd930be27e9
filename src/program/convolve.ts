/** A convolution at stride 1 as kernel calls: its weights in the order in which the kernel reads them, then the convolution itself. */

import type { Algorithm } from '../planner/plan.ts';
import { packedWeightsBytes, type ConvolveCall, type PackWeightsCall } from '../tensor/call.ts';
import { transformedWeightsBytes, transformedWeightsStride, winogradLayout } from '../tensor/winograd.ts';
import type { Linker } from './linker.ts';

/** How the weights are read. */
export type WeightOrder = Omit<PackWeightsCall, 'kind' | 'packed'>;

/** What is convolved. */
export type Convolved = Omit<ConvolveCall, 'kind' | 'packed'>;

/** Emits a convolution by an algorithm. Weights are packed into a temporary buffer. */
export function emitConvolve(linker: Linker, algorithm: Algorithm, order: WeightOrder, convolved: Convolved): void {
  if (algorithm === 'winograd') emitWinograd(linker, order, convolved);
  else emitDirect(linker, order, convolved);
}

function emitDirect(linker: Linker, order: WeightOrder, convolved: Convolved): void {
  const packed = linker.buffer(packedWeightsBytes(order.rows, order.columns, order.taps.length));
  linker.emit({ kind: 'packWeights', packed, ...order });
  linker.emit({ kind: 'convolve', packed, ...convolved });
}

/** Taps are three rows of three, side by side: the first one says where they begin, and of which end of the kernel its weight is. */
function emitWinograd(linker: Linker, order: WeightOrder, { source, target, taps, bias, slope }: Convolved): void {
  const { taps: tapIndex, ...places } = order;
  const { rows, columns } = places;
  const frequencyStride = transformedWeightsStride(rows, columns);
  const packed = linker.buffer(transformedWeightsBytes(rows, columns));
  linker.emit({ kind: 'transformWeights', packed, frequencyStride, ...places, mirrored: tapIndex[0] !== 0 });
  const scratch = linker.buffer(winogradLayout(columns, target).bytes);
  const from = { ...source, offset: source.offset + taps[0]! };
  linker.emit({ kind: 'convolveWinograd', source: from, target, packed, frequencyStride, bias, slope, scratch });
}
