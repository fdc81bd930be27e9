/** Score: the sums of evaluated batches, put together. */

import type { Score } from './run.ts';

/** One batch of the test set. */
export interface EvaluatedBatch {
  /** Mean over the batch's samples. */
  readonly loss: number;
  /** Undefined for a loss without classes. */
  readonly correct: number | undefined;
  readonly samples: number;
}

/** Batches may differ in size, so each counts by its samples. */
export function scoreOf(batches: readonly EvaluatedBatch[]): Score {
  let [loss, correct, samples] = [0, 0, 0];
  for (const batch of batches) {
    loss += batch.loss * batch.samples;
    correct += batch.correct ?? 0;
    samples += batch.samples;
  }
  const counted = batches.every((batch) => batch.correct !== undefined);
  return { loss: loss / samples, accuracy: counted ? correct / samples : undefined, samples };
}
