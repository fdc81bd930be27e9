/** What a measured step is made of, and its plan: of one device. */

import type { KernelMode } from '../kernels/loader.ts';
import type { Model } from '../model/layers.ts';
import { zooModel } from '../model/zoo.ts';
import { chooseKernels } from '../planner/kernels.ts';
import { makePlan } from '../planner/make-plan.ts';
import type { Plan, PlanRequest } from '../planner/plan.ts';
import { balancedWalks } from '../planner/strips.ts';
import type { Range } from '../tensor/box.ts';
import { TYPICAL_RATES } from '../tensor/rates.ts';

/** What a step is made of; plain JSON, because a process of its own measures it. */
export interface StepSetup {
  /** A name of the zoo. */
  readonly model: string;
  /** Rows and columns of the images, for models that take any. */
  readonly size?: number | undefined;
  readonly batch: number;
  /** Kernel threads. */
  readonly threads: number;
  readonly mode: KernelMode;
  /** First layers of the stages; without it one stage, or a new one after each pooling where they are recomputed or in strips. */
  readonly stages?: readonly number[] | undefined;
  /** Whether backward computes stages again. */
  readonly recompute?: boolean | undefined;
  /** Strips of the stage that holds most. */
  readonly strips?: number | undefined;
}

/** The size that a model really has: one with dense layers keeps its own. @throws {InputError} `unknownModel`, `shapeMismatch`, `planStages` */
export function sizedSetup(setup: StepSetup): StepSetup & { readonly size: number } {
  const { size } = setup;
  const model = zooModel(setup.model, size === undefined ? undefined : [size, size]);
  planStep(model, setup);
  return { ...setup, size: model.input[1] };
}

/**
 * @param rates what the machine's kernels take; mode `fast` chooses by them
 * @throws {InputError} `shapeMismatch`, `planStages`
 */
export function planStep(model: Model, setup: StepSetup, rates = TYPICAL_RATES): Plan {
  const { batch, mode } = setup;
  const plan = makePlan(model, ['device'], { batch, request: requestOf(model, setup) });
  return mode === 'strict' ? plan : { ...plan, kernels: chooseKernels(model, plan.stages, [rates]) };
}

/** Stages of one device. */
function requestOf(model: Model, { stages, recompute, strips, batch }: StepSetup): PlanRequest {
  const isWhole = recompute !== true && (strips ?? 1) === 1;
  if (stages === undefined && !isWhole) return { grid: [1, 1], recompute, strips };
  const starts = stages ?? [0];
  const layers = starts.map((start, k): Range => [start, starts[k + 1] ?? model.layers.length]);
  const walks = balancedWalks(model, layers, { recompute, strips, batch });
  return { stages: layers.map((range, k) => ({ layers: range, partition: 'single', ...walks[k] })) };
}
