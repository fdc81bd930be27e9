/** makePlan: model, devices and what the job asks for become a plan. Pure: every node gets the same answer. */

import { InputError } from '../errors.ts';
import type { Model } from '../model/layers.ts';
import { parameterTensors } from '../model/parameters.ts';
import { activationShapes, isSpatial, type Shape } from '../model/shapes.ts';
import {
  EMPTY_BOX,
  boxOf,
  cut,
  isEmpty,
  length,
  volume,
  withRange,
  type Box,
  type Extent,
  type Range,
} from '../tensor/box.ts';
import { ownedBoxes } from './partition.ts';
import {
  METRICS,
  METRIC_SUMS,
  type Grid,
  type KernelPlan,
  type ParameterPiece,
  type ParameterPlan,
  type Plan,
  type PlanRequest,
  type Stage,
  type StageRequest,
} from './plan.ts';
import { stageRegions } from './receptive.ts';
import { balancedWalks, type WalkWish } from './strips.ts';

/** Parameters with fewer values stay whole and are owned in turn. */
const WHOLE_BELOW = 1024;

export interface PlanOptions {
  readonly batch: number;
  readonly request: PlanRequest;
  /** Mode strict by default. */
  readonly kernels?: KernelPlan;
}

/**
 * @param devices names by rank
 * @throws {InputError} `gridMismatch`, `gridTooFine`, `planStages` (stages that do not follow each other) or `shapeMismatch`
 */
export function makePlan(model: Model, devices: readonly string[], options: PlanOptions): Plan {
  const { batch, request, kernels = { mode: 'strict' } } = options;
  const shapes = activationShapes(model);
  const wanted = 'grid' in request ? stagesOfGrid(model, { ...request, batch }) : request.stages;
  checkOrder(wanted, model.layers.length);
  const stages = wanted.map((stage, index) => {
    const where = 'grid' in request ? 'plan.grid' : `plan.stages[${index}]`;
    return makeStage(model, shapes, { stage, where, batch, devices: devices.length });
  });
  const whole: Box = boxOf([batch, ...model.input]);
  return {
    version: 1,
    model: model.name,
    devices,
    batch,
    input: devices.map(() => whole),
    stages,
    parameters: parameterPlans(model, stages, devices.length),
    kernels,
  };
}

/** The `grid:` shorthand: tiles up to the last spatial layer, a new stage after each pooling, with strips by size; then samples. */
function stagesOfGrid(model: Model, { grid, ...wish }: WalkWish & { readonly grid: Grid }): readonly StageRequest[] {
  const spatialEnd = model.layers.findLastIndex(isSpatial) + 1;
  const cuts = [0];
  model.layers.forEach((layer, index) => {
    if (layer.kind === 'maxPool' && index + 1 < spatialEnd) cuts.push(index + 1);
  });
  const tiled = spatialEnd > 0 ? cuts.map((start, k): Range => [start, cuts[k + 1] ?? spatialEnd]) : [];
  const walks = balancedWalks(model, tiled, wish);
  const stages = tiled.map((layers, k): StageRequest => ({ layers, partition: 'tiles', grid, ...walks[k] }));
  if (spatialEnd < model.layers.length) {
    stages.push({ layers: [spatialEnd, model.layers.length], partition: 'samples' });
  }
  return stages;
}

function checkOrder(stages: readonly StageRequest[], layers: number): void {
  let next = 0;
  stages.forEach(({ layers: [start, end] }, index) => {
    if (start !== next || end <= start || end > layers) {
      throw new InputError(
        'planStages',
        `plan.stages[${index}].layers: got [${start}, ${end}], want [${next}, n] with n from ${next + 1} to ${layers}: stages follow each other without gaps`,
      );
    }
    next = end;
  });
  if (next !== layers) {
    throw new InputError(
      'planStages',
      `plan.stages: end at layer ${next}, want ${layers}: every layer belongs to a stage`,
    );
  }
}

interface StageContext {
  readonly stage: StageRequest;
  readonly where: string;
  readonly batch: number;
  readonly devices: number;
}

function makeStage(model: Model, shapes: readonly Shape[], { stage, where, batch, devices }: StageContext): Stage {
  const [start, end] = stage.layers;
  const layers = model.layers.slice(start, end);
  if (stage.partition === 'tiles') {
    const vector = layers.findIndex((layer) => !isSpatial(layer));
    if (vector >= 0) {
      throw new InputError(
        'planStages',
        `${where}: layer ${start + vector} (${layers[vector]!.kind}) has no rows and columns to cut into tiles; use partition samples or single`,
      );
    }
  }
  const owned = ownedBoxes({ ...stage, shape: shapes[end]!, batch, devices, where });
  const needed = owned.map((box) => stageRegions(layers, shapes.slice(start, end + 1), box)[0]!);
  const { partition, grid, recompute = false, strips = 1 } = stage;
  return {
    layers: [start, end],
    partition,
    ...(partition === 'tiles' && grid ? { grid } : {}),
    ...(recompute ? { recompute } : {}),
    ...(strips > 1 ? { strips } : {}),
    owned,
    needed,
  };
}

/** Ranks whose box is not empty. */
function ranksOf(boxes: readonly Box[]): readonly number[] {
  return boxes.flatMap((box, rank) => (isEmpty(box) ? [] : [rank]));
}

function parameterPlans(model: Model, stages: readonly Stage[], devices: number): readonly ParameterPlan[] {
  let turn = 0;
  const plans = parameterTensors(model).map((parameter): ParameterPlan => {
    const stage = stages.findIndex(({ layers }) => parameter.layer < layers[1]);
    const ranks = ranksOf(stages[stage]!.owned);
    const whole = boxOf(parameter.extent);
    const pieces =
      volume(whole) < WHOLE_BELOW
        ? [{ box: whole, owner: ranks[turn++ % ranks.length]! }]
        : cutPieces(parameter.extent, ranks);
    return { name: parameter.name, stage, extent: parameter.extent, contributors: ranks, holders: ranks, pieces };
  });
  return [...plans, metricsPlan(stages, devices)];
}

function cutPieces(extent: Extent, owners: readonly number[]): readonly ParameterPiece[] {
  return cut(extent[0], owners.length).flatMap((range, k) =>
    length(range) === 0 ? [] : [{ box: withRange(boxOf(extent), 0, range), owner: owners[k]! }],
  );
}

/** The sums that everybody wants: contributed by whoever owns a part of the output, held by all. */
function metricsPlan(stages: readonly Stage[], devices: number): ParameterPlan {
  const extent: Extent = [METRIC_SUMS + devices, 1, 1, 1];
  const contributors = ranksOf(stages.at(-1)!.owned);
  const holders = Array.from({ length: devices }, (_, rank) => rank);
  const pieces = [{ box: boxOf(extent), owner: contributors[0]! }];
  return { name: METRICS, stage: stages.length - 1, extent, contributors, holders, pieces };
}

/** The plan's boxes for a batch of fewer samples: ranges of samples clipped, boxes possibly empty. */
export function clipStage(model: Model, stage: Stage, samples: number): Stage {
  const shapes = activationShapes(model);
  const layers = model.layers.slice(...stage.layers);
  const owned = stage.owned.map((box) => clipSamples(box, samples));
  const needed = owned.map((box) => stageRegions(layers, shapes.slice(stage.layers[0], stage.layers[1] + 1), box)[0]!);
  return { ...stage, owned, needed };
}

function clipSamples(box: Box, samples: number): Box {
  const end = Math.min(box[0][1], samples);
  return end <= box[0][0] ? EMPTY_BOX : withRange(box, 0, [box[0][0], end]);
}
