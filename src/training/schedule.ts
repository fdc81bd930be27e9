/** Schedule: the order of iterations (train, evaluate, checkpoint), which follows from the job alone, so that nobody needs to be told. */

import { batchCount, batchIndices } from '../dataset/batches.ts';
import type { Variant } from '../program/options.ts';

/** What decides the order of iterations. */
export interface ScheduleOptions {
  /** Samples in the training set and, if there is one, the test set. */
  readonly trainSamples: number;
  readonly testSamples: number;
  readonly batch: number;
  /** Training steps of the whole job. */
  readonly steps: number;
  /** Steps that an earlier run has done already. */
  readonly startStep: number;
  readonly checkpointEverySteps: number;
  readonly seed: number;
  readonly shuffle: boolean;
}

/** One iteration: its number counts every kind, so nothing stale can match. */
export interface Iteration extends Variant {
  readonly iteration: number;
  readonly epoch: number;
  /** Training steps done before this iteration. */
  readonly step: number;
  readonly split: 'train' | 'test';
  /** Positions of the samples in their data set; empty for a checkpoint. */
  readonly indices: Uint32Array;
  /** Whether this is the last of the iterations that evaluate the test set. */
  readonly last: boolean;
}

type Draft = Omit<Iteration, 'iteration'>;

/** Every kind and size of iteration that the schedule contains. */
export function variantsOf({ trainSamples, testSamples, batch }: ScheduleOptions): readonly Variant[] {
  const sizes = (count: number) => new Set([Math.min(batch, count), count % batch].filter((samples) => samples > 0));
  return [
    ...[...sizes(trainSamples)].map((samples): Variant => ({ kind: 'train', samples })),
    ...[...sizes(testSamples)].map((samples): Variant => ({ kind: 'evaluate', samples })),
    { kind: 'checkpoint', samples: batch },
  ];
}

/** Iterations in order. A checkpoint is made before the first step of a new job, every so many steps, and at the end. */
export function* schedule(options: ScheduleOptions): Generator<Iteration, void, undefined> {
  let iteration = 0;
  for (const draft of drafts(options)) yield { ...draft, iteration: iteration++ };
}

function* drafts(options: ScheduleOptions): Generator<Draft, void, undefined> {
  const { trainSamples, batch, steps, startStep, checkpointEverySteps } = options;
  const perEpoch = batchCount(trainSamples, batch);
  if (startStep === 0) yield checkpoint(0, 0);
  let batches: readonly Uint32Array[] = [];
  for (let step = startStep; step < steps; step++) {
    const epoch = Math.floor(step / perEpoch);
    if (step === startStep || step % perEpoch === 0) {
      batches = batchIndices({ ...options, count: trainSamples }, epoch);
    }
    const indices = batches[step % perEpoch]!;
    yield { kind: 'train', samples: indices.length, epoch, step, split: 'train', indices, last: false };
    const done = step + 1;
    const ended = done === steps;
    if (ended || done % checkpointEverySteps === 0) yield checkpoint(epoch, done);
    if (ended || done % perEpoch === 0) yield* evaluation(options, epoch, done);
  }
}

function checkpoint(epoch: number, step: number): Draft {
  return { kind: 'checkpoint', samples: 0, epoch, step, split: 'train', indices: new Uint32Array(), last: true };
}

function* evaluation({ testSamples, batch, seed }: ScheduleOptions, epoch: number, step: number): Generator<Draft> {
  if (testSamples === 0) return;
  const batches = batchIndices({ count: testSamples, batch, seed, shuffle: false }, 0);
  for (const [k, indices] of batches.entries()) {
    const last = k === batches.length - 1;
    yield { kind: 'evaluate', samples: indices.length, epoch, step, split: 'test', indices, last };
  }
}
