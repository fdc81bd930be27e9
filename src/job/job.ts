/** The job: everything that decides a training run, apart from who takes part. Plain JSON: it travels to every node as it is. */

import { batchCount } from '../dataset/batches.ts';
import type { Model } from '../model/layers.ts';
import type { PlanRequest } from '../planner/plan.ts';

/** Pixels become (byte / 255 - mean) / std, by channel. */
export interface Normalisation {
  /** One value per channel of the model's input. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** IDX files, as absolute paths. Test files come in pairs or not at all. */
export interface IdxData {
  readonly kind: 'idx';
  readonly images: string;
  readonly labels: string;
  readonly test?: { readonly images: string; readonly labels: string };
  readonly normalize: Normalisation;
}

/** Seeded noise, as large as the model's input. There is nothing to learn and nothing to test. */
export interface RandomData {
  readonly kind: 'random';
  /** Images of an epoch. */
  readonly count: number;
  readonly normalize: Normalisation;
}

export type JobData = IdxData | RandomData;

/** Stochastic gradient descent as PyTorch defines it. */
export interface OptimizerOptions {
  readonly kind: 'sgd';
  /** At the first step. */
  readonly rate: number;
  /** `linear`: falls in a straight line to 0 at the end of the job. */
  readonly decay: 'none' | 'linear';
  readonly momentum: number;
  readonly weightDecay: number;
}

export interface Job {
  /** Matches the names of topics. */
  readonly name: string;
  readonly model: Model;
  readonly data: JobData;
  /** Samples of a step. */
  readonly batch: number;
  readonly until: { readonly epochs: number } | { readonly steps: number };
  readonly optimizer: OptimizerOptions;
  readonly seed: number;
  readonly shuffle: boolean;
  /** `strict`: the same bits on every CPU. `fast`: what each machine computes fastest, the same bits on machines of its kind. */
  readonly mode: 'strict' | 'fast';
  readonly plan: PlanRequest;
  /** Absolute path. */
  readonly checkpoint: { readonly everySteps: number; readonly directory: string };
  /** A safetensors file with the weights to begin with; absolute path. */
  readonly init?: string;
}

/** Training steps of the whole job. @param count samples in the training set */
export function totalSteps(job: Job, count: number): number {
  return 'steps' in job.until ? job.until.steps : job.until.epochs * batchCount(count, job.batch);
}
