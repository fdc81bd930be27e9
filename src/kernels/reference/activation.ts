/** Activations: identity, ReLU and leaky ReLU by the slope of negative values, and their derivative. */

import type { ActivationBackwardCall } from '../../tensor/call.ts';
import { at, positions, read, write, type Memory } from './memory.ts';

/** The activated value; NaN stays NaN. */
export function activate(value: number, slope: number): number {
  if (slope === 1) return value;
  if (slope === 0) return Math.max(value, 0);
  return value > 0 ? value : value * slope;
}

/** See {@link ActivationBackwardCall}. */
export function activationBackward(memory: Memory, { output, gradient, slope }: ActivationBackwardCall): void {
  for (const p of positions(gradient)) {
    if (!(read(memory, at(output, p)) > 0)) {
      write(memory, at(gradient, p), read(memory, at(gradient, p)) * slope);
    }
  }
}
