/** Max pooling over square windows, clipped to the source, and its gradient. */

import type { MaxPoolBackwardCall, MaxPoolCall } from '../../tensor/call.ts';
import type { View } from '../../tensor/view.ts';
import { activationBackward } from './activation.ts';
import { sumPlanes } from './convolution.ts';
import { at, positions, read, write, type Memory, type Position } from './memory.ts';

interface Window {
  readonly source: View;
  readonly kernel: number;
  readonly stride: number;
  readonly originY: number;
  readonly originX: number;
}

/** See {@link MaxPoolCall}. */
export function maxPool(memory: Memory, call: MaxPoolCall): void {
  for (const p of positions(call.target)) {
    write(memory, at(call.target, p), read(memory, at(call.source, maximumOf(memory, call, p))));
  }
}

/** See {@link MaxPoolBackwardCall}. */
export function maxPoolBackward(memory: Memory, call: MaxPoolBackwardCall): void {
  for (const p of positions(call.sourceGradient)) write(memory, at(call.sourceGradient, p), 0);
  for (const p of positions(call.targetGradient)) {
    const cell = at(call.sourceGradient, maximumOf(memory, call, p));
    write(memory, cell, read(memory, cell) + read(memory, at(call.targetGradient, p)));
  }
  const { source: output, sourceGradient: gradient, slope, sums } = call;
  activationBackward(memory, { kind: 'activationBackward', output, gradient, slope });
  if (sums !== 0) sumPlanes(memory, { kind: 'sumPlanes', source: gradient, target: sums });
}

/** Where the window of an output has its maximum: the first one in row-major order; a NaN is larger than any number. */
export function maximumOf(memory: Memory, window: Window, [n, c, y, x]: Position): Position {
  const { source, kernel } = window;
  const top = window.originY + y * window.stride;
  const left = window.originX + x * window.stride;
  let best: Position = [n, c, Math.max(0, top), Math.max(0, left)];
  let maximum = read(memory, at(source, best));
  for (let row = best[2]; row < Math.min(top + kernel, source.extent[2]); row++) {
    for (let column = Math.max(0, left); column < Math.min(left + kernel, source.extent[3]); column++) {
      const value = read(memory, at(source, [n, c, row, column]));
      if (value > maximum || (Number.isNaN(value) && !Number.isNaN(maximum))) {
        best = [n, c, row, column];
        maximum = value;
      }
    }
  }
  return best;
}
