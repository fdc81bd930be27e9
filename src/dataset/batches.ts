/** Batches: which samples each step of an epoch sees. Every node computes the same, so nobody needs to be told. */

import { shuffle as shuffled } from '../tensor/random.ts';

/** What decides the batches of a data set, apart from the epoch. */
export interface BatchOptions {
  /** Samples in the data set. */
  readonly count: number;
  /** Samples in a batch, at least 1. */
  readonly batch: number;
  readonly seed: number;
  /** false keeps the order of the file. */
  readonly shuffle: boolean;
}

/**
 * Sample indices of each batch of an epoch: every sample once, the last batch smaller where `count` is no multiple of `batch`.
 * @param epoch counts from 0
 */
export function batchIndices(options: BatchOptions, epoch: number): readonly Uint32Array[] {
  const { count, batch, seed } = options;
  const order = options.shuffle ? shuffled(count, seed, epoch) : Uint32Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: batchCount(count, batch) }, (_, k) => order.subarray(k * batch, (k + 1) * batch));
}

/** Batches, and so steps, in one epoch. */
export function batchCount(count: number, batch: number): number {
  return Math.ceil(count / batch);
}
