/** The choice of kernels: which mode, tiles and algorithms compute a plan. Pure, because every node makes the same choice for itself. */

import { InputError } from '../errors.ts';
import type { Conv2d } from '../model/layers.ts';
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

/** The kernels of a run and the names of its devices, as a checkpoint keeps them. */
export interface KernelRecord {
  /** By rank. */
  readonly devices: readonly string[];
  readonly kernels: KernelPlan;
}

/**
 * The kernels that go on with a run: its algorithms, and the tiles of devices of the same name. Other devices have those that were chosen for them.
 * @throws {InputError} `checkpointMode` when the run was of another mode
 */
export function resumedKernels(record: KernelRecord, devices: readonly string[], chosen: KernelPlan): KernelPlan {
  const { kernels } = record;
  if (kernels.mode !== chosen.mode) {
    throw new InputError(
      'checkpointMode',
      `checkpoint.directory: holds a run of mode ${kernels.mode}, the job is of mode ${chosen.mode}; say mode: ${kernels.mode} to go on with it, or train anew without --resume`,
    );
  }
  if (kernels.mode === 'strict' || chosen.mode === 'strict') return kernels;
  const wide = devices.map((name, rank) => kernels.wide[record.devices.indexOf(name)] ?? chosen.wide[rank]!);
  return { ...kernels, wide };
}

/** The part of a plan's kernels that the arena of one device wants to know. */
export function kernelsAt(kernels: KernelPlan, rank: number): DeviceKernels {
  return kernels.mode === 'strict' ? { mode: 'strict' } : { mode: 'fast', wide: kernels.wide[rank]! };
}

const DIRECT: ConvolutionAlgorithms = { forward: 'direct', inputGradient: 'direct', weightGradient: 'direct' };

/** Whether Winograd's F(4x4, 3x3) can compute a convolution. */
function takesWinograd({ kernel, stride, dilation = 1, groups = 1 }: Conv2d): boolean {
  return kernel === 3 && stride === 1 && dilation === 1 && groups === 1;
}

/** The algorithms of a convolution's passes; direct where there is no other. */
export function algorithmsOf(kernels: KernelPlan, convolution: Conv2d): ConvolutionAlgorithms {
  const chosen = kernels.mode === 'fast' ? kernels.convolutions[convolution.name] : undefined;
  return chosen && takesWinograd(convolution) ? chosen : DIRECT;
}
