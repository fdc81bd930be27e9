/** The choice of kernels: which mode, tiles and algorithms compute a plan. Pure, because every node makes the same choice for itself. */

import { InputError } from '../errors.ts';
import type { Conv2d, Model } from '../model/layers.ts';
import { activationShapes } from '../model/shapes.ts';
import type { Box } from '../tensor/box.ts';
import { PASSES, type ConvolutionPass, type KernelRates } from '../tensor/rates.ts';
import { convolutionWork, nanosecondsOf, type ConvolutionSite } from './convolution-work.ts';
import type { Algorithm, ConvolutionAlgorithms, KernelPlan, Stage } from './plan.ts';
import { stageRegions } from './receptive.ts';
import { walkedBoxes } from './strips.ts';

type FastKernels = Extract<KernelPlan, { readonly mode: 'fast' }>;

/** What computes the part of one device. */
export interface DeviceKernels {
  readonly mode: KernelPlan['mode'];
  /** Whether register tiles are two vectors wide; in mode `fast` only, where it decides bits. */
  readonly wide?: boolean;
}

/** Winograd's working memory is the larger one: in a step less of it is cached than where it was measured, and it took up to as many times as predicted. */
const WINOGRAD_MARGIN = 1.25;

/**
 * The kernels of mode `fast`: each device's own tiles, and for each pass of each convolution the algorithm whose slowest device is done first.
 * One choice is for all devices, so that others can go on with the run.
 * @param rates by rank
 */
export function chooseKernels(model: Model, stages: readonly Stage[], rates: readonly KernelRates[]): FastKernels {
  const chosen = stages.flatMap((stage) =>
    convolutionsOf(model, stage).map(({ convolution, passes, sites }): [string, ConvolutionAlgorithms] => {
      const faster = (pass: ConvolutionPass): Algorithm => {
        if (!passes.includes(pass)) return 'direct';
        const [direct, winograd] = (['direct', 'winograd'] as const).map((algorithm) =>
          Math.max(...sites.map((parts, rank) => nanosecondsOfParts(parts, pass, algorithm, rates[rank]!))),
        );
        return winograd! * WINOGRAD_MARGIN < direct! ? 'winograd' : 'direct';
      };
      const [forward, inputGradient, weightGradient] = PASSES.map(faster);
      return [convolution.name, { forward: forward!, inputGradient: inputGradient!, weightGradient: weightGradient! }];
    }),
  );
  return { mode: 'fast', wide: rates.map(({ wide }) => wide), convolutions: Object.fromEntries(chosen) };
}

/** A convolution that has a choice, in which passes, and by rank the parts in which a device computes it in training. */
interface Convolution {
  readonly convolution: Conv2d;
  readonly passes: readonly ConvolutionPass[];
  readonly sites: readonly (readonly ConvolutionSite[])[];
}

function convolutionsOf(model: Model, stage: Stage): readonly Convolution[] {
  const [start, end] = stage.layers;
  const layers = model.layers.slice(start, end);
  const shapes = activationShapes(model).slice(start, end + 1);
  const regions = stage.owned.map((owned) =>
    walkedBoxes(stage, owned, true).map((box) => stageRegions(layers, shapes, box)),
  );
  return layers.flatMap((convolution, l) => {
    if (convolution.kind !== 'conv2d' || !takesWinograd(convolution)) return [];
    const site = (boxes: readonly Box[]) => ({ convolution, input: boxes[l]!, output: boxes[l + 1]! });
    // Nobody wants the gradient of the images.
    const isFirst = !model.layers.slice(0, start + l).some((layer) => 'name' in layer);
    const passes = PASSES.filter((pass) => pass !== 'inputGradient' || !isFirst);
    return [{ convolution, passes, sites: regions.map((parts) => parts.map(site)) }];
  });
}

function nanosecondsOfParts(
  parts: readonly ConvolutionSite[],
  pass: ConvolutionPass,
  algorithm: Algorithm,
  rates: KernelRates,
): number {
  const cost = rates[pass][algorithm];
  return parts.reduce((sum, site) => sum + nanosecondsOf(convolutionWork(pass, algorithm, site), cost), 0);
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
export function takesWinograd({ kernel, stride, dilation = 1, groups = 1 }: Conv2d): boolean {
  return kernel === 3 && stride === 1 && dilation === 1 && groups === 1;
}

/** The algorithms of a convolution's passes; direct where there is no other. */
export function algorithmsOf(kernels: KernelPlan, convolution: Conv2d): ConvolutionAlgorithms {
  const chosen = kernels.mode === 'fast' ? kernels.convolutions[convolution.name] : undefined;
  return chosen && takesWinograd(convolution) ? chosen : DIRECT;
}
