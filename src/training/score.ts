/** Score: the sums of evaluated batches, put together. */

import type { Score } from './run.ts';

/** One batch of the test set. */
export interface EvaluatedBatch {
  /** Mean over the batch's samples. */
  readonly loss: number;
  readonly correct: number;
  readonly samples: number;
}

/** Batches may differ in size, so each counts by its samples. */
export function scoreOf(batches: readonly EvaluatedBatch[]): Score {
  let [loss, correct, samples] = [0, 0, 0];
  for (const batch of batches) {
    loss += batch.loss * batch.samples;
    correct += batch.correct;
    samples += batch.samples;
  }
  return { loss: loss / samples, accuracy: correct / samples, samples };
}
