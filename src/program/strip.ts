/** A strip of a stage: one box of its output and everything that has to be computed for it. A stage that is not cut is one strip. */

import type { Layer } from '../model/layers.ts';
import { activationShapes, isSpatial } from '../model/shapes.ts';
import { stageRegions } from '../planner/receptive.ts';
import { walkedBoxes } from '../planner/strips.ts';
import type { Box } from '../tensor/box.ts';
import { slice } from '../tensor/view.ts';
import type { ParameterAddresses } from './convolution.ts';
import type { Emission } from './emission.ts';
import { reserveGradient } from './layers.ts';
import { NO_BORDER, type Stored } from './planes.ts';

export interface Strip {
  readonly stage: number;
  /** Index of the stage's first layer in the model. */
  readonly start: number;
  readonly layers: readonly Layer[];
  /** Boxes R_0 to R_L that are computed for it; the last one is its own. */
  readonly regions: readonly Box[];
}

/** The strips of this device's part of a stage, in their order. */
export function stripsOf(emission: Emission, stage: number): readonly Strip[] {
  const { stages, rank, variant } = emission;
  const boxes = walkedBoxes(stages[stage]!, stages[stage]!.owned[rank]!, variant.kind === 'train');
  return boxes.map((box) => stripOf(emission, stage, box));
}

/** This device's part of a stage as one strip. */
export function wholeOf(emission: Emission, stage: number): Strip {
  return stripOf(emission, stage, emission.stages[stage]!.owned[emission.rank]!);
}

function stripOf({ model, stages }: Emission, stage: number, box: Box): Strip {
  const [start, end] = stages[stage]!.layers;
  const layers = model.layers.slice(start, end);
  return { stage, start, layers, regions: stageRegions(layers, activationShapes(model).slice(start, end + 1), box) };
}

/** The part of a stored tensor that a box covers. */
export function partOf(stored: Stored, box: Box): Stored {
  return { box, view: slice(stored.view, stored.box, box), border: NO_BORDER };
}

/** Storage for the gradient of a strip's output. */
export function reserveOutputGradient(emission: Emission, { stage, layers, regions }: Strip): Stored {
  const layer = layers.at(-1)!;
  const input = wantsInputGradient(emission, stage, layers.length - 1) ? regions.at(-2)! : undefined;
  return reserveGradient(emission.linker, regions.at(-1)!, { vector: !isSpatial(layer), producer: { layer, input } });
}

/** Whether anything before the stage's l-th layer has parameters, so that the gradient of its input is of use. */
export function wantsInputGradient({ model, stages }: Emission, stage: number, l: number): boolean {
  const index = stages[stage]!.layers[0] + l;
  return model.layers.slice(0, index).some((layer) => 'name' in layer);
}

/** Addresses of a layer's parameters, and of their gradients as far as there is room for them; undefined for a layer that has none. */
export function addressesOf(
  { model, storage }: Emission,
  index: number,
  gradients: ReadonlyMap<string, number>,
): ParameterAddresses | undefined {
  const layer = model.layers[index]!;
  if (!('name' in layer)) return undefined;
  const [weight, bias] = [`${layer.name}.weight`, `${layer.name}.bias`];
  return {
    weights: storage.parameters.get(weight)!,
    bias: storage.parameters.get(bias)!,
    weightGradient: gradients.get(weight) ?? 0,
    biasGradient: gradients.get(bias) ?? 0,
  };
}
