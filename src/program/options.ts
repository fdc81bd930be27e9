/** What a program is compiled for, besides model, plan and rank. */

import type { IterationKind } from './messages.ts';
import type { Framing } from './storage.ts';

/** SGD as PyTorch defines it; the learning rate is not part of the program, because it may change from step to step. */
export interface SgdOptions {
  readonly momentum: number;
  readonly weightDecay: number;
}

/** Pixels become (byte / 255 - mean) / deviation, channel by channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** An iteration that will occur: its kind and number of samples. */
export interface Variant {
  readonly kind: IterationKind;
  readonly samples: number;
}

export interface CompileOptions {
  readonly framing: Framing;
  readonly optimizer: SgdOptions;
  readonly normalization: Normalization;
  /** Ranks that write checkpoints. */
  readonly writers: readonly number[];
  readonly variants: readonly Variant[];
}
