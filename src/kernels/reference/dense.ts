/** Fully connected layers: forward, input gradient, weight gradient. A row of values is contiguous, whatever its axes are called. */

import type { DenseCall, DenseInputCall, DenseWeightsCall } from '../../tensor/call.ts';
import { FLOAT_BYTES, valuesOf, type View } from '../../tensor/view.ts';
import { activate } from './activation.ts';
import { read, write, type Memory } from './memory.ts';

/** Byte offset of value i of sample n. */
function cell(view: View, n: number, i: number): number {
  return view.offset + n * view.strides[0] + i * FLOAT_BYTES;
}

/** See {@link DenseCall}. */
export function dense(memory: Memory, { source, target, weights, bias, slope }: DenseCall): void {
  const inputs = valuesOf(source);
  for (let n = 0; n < target.extent[0]; n++) {
    for (let o = 0; o < valuesOf(target); o++) {
      let sum = bias === 0 ? 0 : read(memory, bias + o * FLOAT_BYTES);
      for (let i = 0; i < inputs; i++) {
        sum += read(memory, weights + (o * inputs + i) * FLOAT_BYTES) * read(memory, cell(source, n, i));
      }
      write(memory, cell(target, n, o), activate(sum, slope));
    }
  }
}

/** See {@link DenseInputCall}. */
export function denseInput(memory: Memory, call: DenseInputCall): void {
  const { targetGradient, sourceGradient, weights, weightsRow } = call;
  const inputs = valuesOf(sourceGradient);
  for (let n = 0; n < sourceGradient.extent[0]; n++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let o = 0; o < valuesOf(targetGradient); o++) {
        sum += read(memory, cell(targetGradient, n, o)) * read(memory, weights + o * weightsRow + i * FLOAT_BYTES);
      }
      write(memory, cell(sourceGradient, n, i), sum);
    }
  }
}

/** See {@link DenseWeightsCall}. */
export function denseWeights(memory: Memory, { source, targetGradient, target }: DenseWeightsCall): void {
  const inputs = valuesOf(source);
  for (let o = 0; o < valuesOf(targetGradient); o++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let n = 0; n < source.extent[0]; n++) {
        sum += read(memory, cell(targetGradient, n, o)) * read(memory, cell(source, n, i));
      }
      write(memory, target + (o * inputs + i) * FLOAT_BYTES, sum);
    }
  }
}
