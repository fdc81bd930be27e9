/** Run: the seam between a job and whoever drives it. The trainer and a person with wires call the same methods, and nothing else. */

import type { Tensor } from '../tensor/handle.ts';
import type { Result } from './events.ts';
import type { Clock } from './executor.ts';

/** The samples of one training step, as this device needs them. */
export interface Batch {
  /** Counts from 0. */
  readonly epoch: number;
  /** Training steps done before this one. */
  readonly step: number;
  /** Samples of the global batch. */
  readonly samples: number;
  /** The images of the samples that this device needs, pixels normalised: input of stage 0. */
  readonly images: Tensor;
}

/** What the loss layer leaves behind: where backward begins. */
export interface Loss {
  /** Gradient of the owned part of the last stage's output. */
  readonly gradient: Tensor;
}

/** What a step amounted to, summed over all devices. */
export interface StepReport {
  /** Training steps done, this one included. */
  readonly step: number;
  /** Mean over the samples. */
  readonly loss: number;
  /** Correct answers; undefined for a loss without classes. */
  readonly correct: number | undefined;
  readonly samples: number;
}

/** How the model does on a split of the data. */
export interface Score {
  readonly loss: number;
  /** Share of correct answers, 0 to 1; undefined for a loss without classes. */
  readonly accuracy: number | undefined;
  readonly samples: number;
}

/**
 * One job on one device. A state machine: a call out of order throws `outOfOrder`, a foreign tensor `foreignTensor`; a step that nobody advances
 * for 30 s fails as `stepStalled`. A failure rejects every call from then on with the same error.
 */
export interface Run {
  /** Aborted, with the reason, once the run has stopped before its end. */
  readonly signal: AbortSignal;
  /** Milliseconds of the current iteration so far, kernels at work and waiting for others. */
  readonly clock: Readonly<Clock>;
  /**
   * Does what the schedule has before the next training step (checkpoints, evaluation), then stages the batch; waits while the run is paused.
   * @returns undefined at the end of the job
   */
  nextBatch(): Promise<Batch | undefined>;
  /** Computes a stage on this device's box and sends the next stage's neighbours what they need. @returns the owned box of the stage's output */
  forward(stage: number, x: Tensor): Promise<Tensor>;
  /** @param y output of the last stage */
  loss(y: Tensor): Promise<Loss>;
  /** Computes gradients of the stage that made `of`, and returns to neighbours what is theirs. @returns this device's partial gradient of the stage's input */
  backward(of: Tensor, dy: Tensor): Promise<Tensor>;
  /** Sends this device's part of a stage's parameter gradients to their owners. */
  reduce(stage: number): Promise<void>;
  /** Owners sum and update, holders take over. Ends the step. */
  update(): Promise<StepReport>;
  /** Runs the evaluation that the schedule has next. */
  evaluate(): Promise<Score>;
  /** Makes the checkpoint that the schedule has next. @returns its path on nodes that write one */
  save(): Promise<string | undefined>;
  /** How the job went. @throws {RunError} `outOfOrder` before `nextBatch` has said that there is none */
  result(): Result;
  /** Drives the job to its end. @throws what stopped it */
  train(signal?: AbortSignal): Promise<Result>;
  /** Lets the open step end and no other begin, until `resume`; other devices wait for this one meanwhile. Both are idempotent. */
  pause(): void;
  resume(): void;
  /** Stops everything that waits; idempotent, the first reason stays. */
  abort(reason: unknown): void;
  /** Waits for what is under way, then gives the arena back; idempotent. */
  close(): Promise<void>;
}
