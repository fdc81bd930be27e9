/** The choice of kernels: which mode, tiles and algorithms compute a plan. Pure, because every node makes the same choice for itself. */

import type { ConvolutionAlgorithms, KernelPlan } from './plan.ts';

/** What computes the part of one device. */
export interface DeviceKernels {
  readonly mode: KernelPlan['mode'];
  /** Whether register tiles are two vectors wide; in mode `fast` only, where it decides bits. */
  readonly wide?: boolean;
}

/** The kernels of a mode for so many devices. */
export function chooseKernels(mode: KernelPlan['mode'], devices: number): KernelPlan {
  if (mode === 'strict') return { mode };
  return { mode, wide: Array.from({ length: devices }, () => false), convolutions: {} };
}

/** The part of a plan's kernels that the arena of one device wants to know. */
export function kernelsAt(kernels: KernelPlan, rank: number): DeviceKernels {
  return kernels.mode === 'strict' ? { mode: 'strict' } : { mode: 'fast', wide: kernels.wide[rank]! };
}

const DIRECT: ConvolutionAlgorithms = { forward: 'direct', inputGradient: 'direct', weightGradient: 'direct' };

/** The algorithms of a convolution's passes. */
export function algorithmsOf(kernels: KernelPlan, layer: string): ConvolutionAlgorithms {
  return (kernels.mode === 'fast' ? kernels.convolutions[layer] : undefined) ?? DIRECT;
}
