/** Packed weights: a convolution's weights in the order in which its kernel reads them. */

import { packedWeightsBytes, type PackWeightsCall } from '../tensor/call.ts';
import type { Linker } from './linker.ts';

/** Packs weights into a temporary buffer. @returns its address */
export function emitPackedWeights(linker: Linker, order: Omit<PackWeightsCall, 'kind' | 'packed'>): number {
  const packed = linker.buffer(packedWeightsBytes(order.rows, order.columns, order.taps.length));
  linker.emit({ kind: 'packWeights', packed, ...order });
  return packed;
}
