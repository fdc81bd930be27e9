/** The gradient of a convolution's weights as kernel calls. */

import type { Conv2d } from '../model/layers.ts';
import type { Algorithm } from '../planner/plan.ts';
import { convolveWeightsScratch } from '../tensor/call.ts';
import type { View } from '../tensor/view.ts';
import { winogradWeightsLayout } from '../tensor/winograd-weights.ts';
import { channelGroups, channelsOf, isDepthwise } from './groups.ts';
import type { Linker } from './linker.ts';

/** Source pixels of a convolution, and where each tap lies from them. */
export interface Sampled {
  readonly view: View;
  readonly taps: readonly number[];
}

/** Whose gradients, and from what. */
export interface WeightSite {
  readonly convolution: Conv2d;
  readonly source: Sampled;
  /** Input channels; a source of phases has more. */
  readonly channels: number;
  readonly outputGradient: View;
  /** Address of the gradient of the weights, as PyTorch lays them out. */
  readonly target: number;
  readonly algorithm: Algorithm;
}

/** Emits the calls that compute the gradient of all weights. */
export function emitWeightGradient(linker: Linker, site: WeightSite): void {
  if (isDepthwise(site.convolution, site.channels)) emitDepthwise(linker, site);
  else if (site.algorithm === 'winograd') emitWinograd(linker, site);
  else emitDirect(linker, site);
}

/** The taps of a kernel, in order. */
function kernelOf({ convolution, source }: WeightSite) {
  const kernelTaps = convolution.kernel ** 2;
  return { taps: source.taps, tapIndex: Array.from({ length: kernelTaps }, (_, tap) => tap), kernelTaps };
}

function emitDepthwise(linker: Linker, site: WeightSite): void {
  const { source, outputGradient: gradient, target } = site;
  linker.emit({ kind: 'convolveDepthwiseWeights', source: source.view, gradient, ...kernelOf(site), target });
}

/** Group by group. */
function emitDirect(linker: Linker, site: WeightSite): void {
  const { convolution, source, channels, outputGradient, target } = site;
  const kernel = kernelOf(site);
  const groups = channelGroups(convolution, channels);
  const scratch = linker.buffer(convolveWeightsScratch(channels / groups.length, kernel.kernelTaps));
  for (const { inputs, filters, weightOffset } of groups) {
    linker.emit({
      kind: 'convolveWeights',
      source: channelsOf(source.view, inputs),
      gradient: channelsOf(outputGradient, filters),
      ...kernel,
      target: target + weightOffset,
      scratch,
    });
  }
}

/** Taps are three rows of three, side by side: the first one says where they begin. */
function emitWinograd(linker: Linker, { source, outputGradient: gradient, channels, target }: WeightSite): void {
  const scratch = linker.buffer(winogradWeightsLayout(channels, gradient).bytes);
  const from = { ...source.view, offset: source.view.offset + source.taps[0]! };
  linker.emit({ kind: 'convolveWinogradWeights', source: from, gradient, target, scratch });
}
