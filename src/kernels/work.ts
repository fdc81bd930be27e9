/** Work: about how long a kernel call takes one core, to tell how many threads it is worth. */

import type { KernelCall } from '../tensor/call.ts';
import type { View } from '../tensor/view.ts';
import type { PerCall } from './per-call.ts';

/** How calls are distributed. */
export interface Crew {
  readonly threads: number;
  /** A part of a call takes about this long at least; 0 cuts everything. */
  readonly partNanoseconds: number;
}

/**
 * The least worth cutting off. A barrier costs 0.4 µs, but data that another core wrote must come from its cache, and sometimes a thread has
 * to be woken: steps of LeNet-5 were as fast with 1 to 10 µs, slower with 30 and 100. A slower core is slower at everything.
 */
export const PART_NANOSECONDS = 10_000;

/** How many threads a call is worth: one where cutting it would cost more than it saves. */
export function threadsWorth(call: KernelCall, { threads, partNanoseconds }: Crew): number {
  if (partNanoseconds === 0) return threads;
  return Math.max(1, Math.min(threads, Math.floor(workOf(call) / partNanoseconds)));
}

/** Nanoseconds that a call takes one core of the machine on which they were measured; 0 for a kind that is not listed. */
export function workOf(call: KernelCall): number {
  const work = WORK[call.kind] as ((call: KernelCall) => number) | undefined;
  return work?.(call) ?? 0;
}

/** Measured on x64 (Zen 4), one thread, mode `strict`. */
const WORK: Partial<PerCall<number>> = {
  zero: ({ bytes }) => 0.01 * bytes,
  clearBorder: ({ view, border }) => {
    const [samples, channels, rows, columns] = view.extent;
    const across = (border.top + border.bottom) * (border.left + columns + border.right);
    return 0.8 * samples * channels * (across + rows * (border.left + border.right));
  },
  copy: ({ target }) => 0.2 * volume(target),
  add: ({ target }) => 0.2 * volume(target),
  pack: ({ source }) => 0.2 * volume(source),
  pixels: ({ target }) => 600 + 0.7 * volume(target),
  packWeights: ({ rows, columns, taps }) => 0.4 * rows * columns * taps.length,
  convolve: ({ source, target, taps }) => 0.05 * volume(target) * source.extent[1] * taps.length,
  convolveWeights: ({ source, gradient, taps }) => 0.05 * volume(gradient) * source.extent[1] * taps.length,
  convolveDepthwise: ({ target, taps }) => 0.1 * volume(target) * taps.length,
  convolveDepthwiseWeights: ({ gradient, taps }) => 0.1 * volume(gradient) * taps.length,
  transformWeights: ({ rows, columns }) => 15 * rows * columns,
  convolveWinogradWeights: ({ source, gradient }) => 0.15 * volume(gradient) * source.extent[1],
  convolveWinograd: ({ source, target }) => 0.2 * volume(target) * source.extent[1],
  sumPlanes: ({ source }) => 0.06 * volume(source),
  activationBackward: ({ gradient }) => 0.15 * volume(gradient),
  maxPool: ({ target, kernel }) => 0.5 * kernel ** 2 * volume(target),
  maxPoolBackward: ({ targetGradient, kernel }) => 3 * kernel ** 2 * volume(targetGradient),
  dense: ({ source, target }) => 0.06 * products(source, target),
  denseInput: ({ targetGradient, sourceGradient }) => 0.06 * products(sourceGradient, targetGradient),
  denseWeights: ({ targetGradient, source }) => 0.06 * products(source, targetGradient),
  softmaxCrossEntropy: ({ logits }) => 25 * volume(logits),
  meanSquares: ({ output }) => 1.25 * volume(output),
  sgd: ({ length }) => 0.4 * length,
  checksum: ({ bytes }) => 0.3 * bytes,
};

function volume({ extent }: View): number {
  return extent[0] * extent[1] * extent[2] * extent[3];
}

/** Multiplications of a dense layer between two views of as many samples. */
function products(inputs: View, outputs: View): number {
  return (volume(inputs) * volume(outputs)) / Math.max(1, inputs.extent[0]);
}
