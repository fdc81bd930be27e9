/** What a run is made of, and what it hands out for a checkpoint. */

import type { Collective } from '../collective/collective.ts';
import type { Dataset } from '../dataset/dataset.ts';
import type { Arena } from '../kernels/engine.ts';
import type { Plan } from '../planner/plan.ts';
import type { Normalization } from '../program/options.ts';
import type { Program } from '../program/program.ts';
import type { TrainingEvent } from './events.ts';
import type { LearningRate } from './learning-rate.ts';
import type { TensorMap } from './parameters.ts';
import type { ScheduleOptions } from './schedule.ts';

/** What a checkpoint holds: the state after `step` training steps. */
export interface Snapshot {
  readonly step: number;
  readonly epoch: number;
  readonly tensors: TensorMap;
}

export interface RunOptions {
  readonly run: string;
  readonly plan: Plan;
  readonly program: Program;
  readonly arena: Arena;
  readonly collective: Collective;
  readonly train: Dataset;
  readonly test: Dataset | undefined;
  readonly schedule: ScheduleOptions;
  readonly normalization: Normalization;
  readonly learningRate: LearningRate;
  /** Weights, and momentum where it goes on, by tensor name. */
  readonly initial: TensorMap;
  /** Writes a checkpoint on nodes that do; @returns its path */
  readonly write: ((snapshot: Snapshot) => Promise<string>) | undefined;
  readonly checksumOf: (weights: TensorMap) => string;
  readonly emit: (event: TrainingEvent) => void;
  /** Milliseconds after which a step that nobody advances fails. */
  readonly stallMs?: number;
}
