/** Work: how many multiply-adds a stage costs a device, with what tiles and strips compute twice. Layers without weights count as nothing. */

import type { Layer, Model } from '../model/layers.ts';
import { activationShapes, type Shape } from '../model/shapes.ts';
import { length, volume, type Box } from '../tensor/box.ts';
import { clipStage } from './make-plan.ts';
import type { Plan, Stage } from './plan.ts';
import { stageRegions } from './receptive.ts';
import { walkedBoxes } from './strips.ts';

/** Multiply-adds by layer of the stage, in forward, to compute `owned` of its output. @param shapes of every activation of the model */
export function multiplyAddsByLayer(
  model: Model,
  shapes: readonly Shape[],
  { layers: [start, end] }: Pick<Stage, 'layers'>,
  owned: Box,
): readonly number[] {
  const layers = model.layers.slice(start, end);
  const regions = stageRegions(layers, shapes.slice(start, end + 1), owned);
  return layers.map((layer, l) => volume(regions[l + 1]!) * perOutput(layer, length(regions[l]![1])));
}

function perOutput(layer: Layer, inputChannels: number): number {
  if (layer.kind === 'conv2d') return (inputChannels / (layer.groups ?? 1)) * layer.kernel ** 2;
  return layer.kind === 'dense' ? inputChannels : 0;
}

export interface StageWork {
  readonly forward: number;
  /** Gradients of weights, and of all inputs but the images; and forward once more, but for its last layer, where it is recomputed. */
  readonly backward: number;
}

/** Which stage, on which device, for a batch of how many samples. */
export interface WorkSite {
  readonly stage: number;
  readonly rank: number;
  readonly samples: number;
}

/** Multiply-adds of one device for one stage of a training step. */
export function stageWork(model: Model, plan: Plan, { stage, rank, samples }: WorkSite): StageWork {
  const clipped = clipStage(model, plan.stages[stage]!, samples);
  const shapes = activationShapes(model);
  const work = { forward: 0, backward: 0 };
  for (const box of walkedBoxes(clipped, clipped.owned[rank]!, true)) {
    const byLayer = multiplyAddsByLayer(model, shapes, clipped, box);
    const forward = sum(byLayer);
    const first = model.layers.findIndex((layer) => 'name' in layer) - clipped.layers[0];
    const images = byLayer[first] ?? 0;
    // The last layer's output is the stage's, which is kept.
    const again = clipped.recompute === true ? sum(byLayer.slice(0, -1)) : 0;
    work.forward += forward;
    work.backward += 2 * forward - images + again;
  }
  return work;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
