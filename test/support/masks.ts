/** Masks of a step: on which side of its kink each activation was, and which cell of each pooling window was the largest. */

import { at, memoryOver, positions, read, type Memory } from '../../src/kernels/reference/memory.ts';
import { maximumOf } from '../../src/kernels/reference/pooling.ts';
import type { MaxPoolBackwardCall } from '../../src/tensor/call.ts';
import type { View } from '../../src/tensor/view.ts';
import type { Observer } from './lockstep.ts';

/** One list per activation and pooling of the backward pass, in its order. */
export type Masks = readonly (readonly number[])[];

/** An observer of a step's calls that fills `masks`. */
export function maskRecorder(): { readonly masks: Masks; readonly observe: Observer } {
  const masks: number[][] = [];
  const observe: Observer = (call, { buffer, byteLength }) => {
    const memory = memoryOver(buffer, byteLength);
    if (call.kind === 'activationBackward') masks.push(signs(memory, call.output));
    if (call.kind !== 'maxPoolBackward') return;
    masks.push(winners(memory, call));
    if (call.slope !== 1) masks.push(signs(memory, call.source));
  };
  return { masks, observe };
}

/** How many entries differ. */
export function flipsOf(a: Masks, b: Masks): number {
  if (a.length !== b.length) throw new Error(`masks of ${a.length} and of ${b.length} calls`);
  const differing = (list: readonly number[], k: number) => list.filter((value, i) => value !== b[k]![i]).length;
  return a.reduce((sum, list, k) => sum + differing(list, k), 0);
}

function signs(memory: Memory, view: View): number[] {
  return Array.from(positions(view), (p) => (read(memory, at(view, p)) > 0 ? 1 : 0));
}

function winners(memory: Memory, call: MaxPoolBackwardCall): number[] {
  return Array.from(positions(call.targetGradient), (p) => {
    const [, , y, x] = maximumOf(memory, call, p);
    return y * call.source.extent[3] + x;
  });
}
