/** A convolution at stride 1 as kernel calls: its weights in the order in which the kernel reads them, then the convolution itself. */

import type { Algorithm } from '../planner/plan.ts';
import { cut, type Range } from '../tensor/box.ts';
import { PACKED_ROWS_CUT, packedWeightsBytes, type ConvolveCall, type PackWeightsCall } from '../tensor/call.ts';
import { transformedWeightsBytes, transformedWeightsStride, winogradLayout } from '../tensor/winograd.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import { channelsOf } from './groups.ts';
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

/** Kernels whose weights are transformed at a time, at most: 4.7 MB. More at a time are no faster, and four times as large as the weights. */
const TRANSFORMED_KERNELS = 32_768;

/** Taps are three rows of three, side by side: the first one says where they begin, and of which end of the kernel its weight is. */
function emitWinograd(linker: Linker, order: WeightOrder, { source, target, taps, bias, slope }: Convolved): void {
  const { taps: tapIndex, columns, ...places } = order;
  const from = { ...source, offset: source.offset + taps[0]! };
  for (const [start, end] of rowBlocks(order)) {
    const rows = end - start;
    const weights = places.weights + start * places.rowStride * FLOAT_BYTES;
    const frequencyStride = transformedWeightsStride(rows, columns);
    const packed = linker.buffer(transformedWeightsBytes(rows, columns));
    const mirrored = tapIndex[0] !== 0;
    linker.emit({ kind: 'transformWeights', packed, frequencyStride, ...places, weights, rows, columns, mirrored });
    const part = channelsOf(target, [start, end]);
    const scratch = linker.buffer(winogradLayout(columns, part).bytes);
    const outputs = { target: part, bias: bias === 0 ? 0 : bias + start * FLOAT_BYTES, slope };
    linker.emit({ kind: 'convolveWinograd', source: from, ...outputs, packed, frequencyStride, scratch });
  }
}

/** Rows of the weights in near-equal blocks that are transformed one after another. */
function rowBlocks({ rows, columns }: WeightOrder): readonly Range[] {
  const units = Math.ceil(rows / PACKED_ROWS_CUT);
  const blocks = Math.min(units, Math.ceil((rows * columns) / TRANSFORMED_KERNELS));
  return cut(units, blocks).map(([start, end]): Range => [
    start * PACKED_ROWS_CUT,
    Math.min(rows, end * PACKED_ROWS_CUT),
  ]);
}
