/** Depthwise convolution: every channel with a kernel of its own; forward and input gradient, weight gradient. */

import type { ConvolveDepthwiseCall, ConvolveDepthwiseWeightsCall } from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import { activate } from './activation.ts';
import { at, positions, read, write, type Memory } from './memory.ts';

/** See {@link ConvolveDepthwiseCall}. */
export function convolveDepthwise(memory: Memory, call: ConvolveDepthwiseCall): void {
  const { source, target, weights, taps, tapIndex, kernelTaps } = call;
  for (const p of positions(target)) {
    const channel = p[1];
    let sum = call.bias === 0 ? 0 : read(memory, call.bias + channel * FLOAT_BYTES);
    taps.forEach((tap, t) => {
      const weight = read(memory, weights + (channel * kernelTaps + tapIndex[t]!) * FLOAT_BYTES);
      sum += weight * read(memory, at(source, p) + tap);
    });
    write(memory, at(target, p), activate(sum, call.slope));
  }
}

/** See {@link ConvolveDepthwiseWeightsCall}. */
export function convolveDepthwiseWeights(memory: Memory, call: ConvolveDepthwiseWeightsCall): void {
  const { source, gradient, taps, tapIndex, kernelTaps } = call;
  const sums = new Float64Array(gradient.extent[1] * taps.length);
  for (const p of positions(gradient)) {
    const value = read(memory, at(gradient, p));
    taps.forEach((tap, t) => (sums[p[1] * taps.length + t]! += value * read(memory, at(source, p) + tap)));
  }
  sums.forEach((sum, i) => {
    const [channel, t] = [Math.floor(i / taps.length), i % taps.length];
    write(memory, call.target + (channel * kernelTaps + tapIndex[t]!) * FLOAT_BYTES, sum);
  });
}
