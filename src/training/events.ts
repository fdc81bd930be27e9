/** Events: what a run tells its caller while it goes on. The core emits and never logs; the rim decides what becomes of it. */

/** One training step is done. */
export interface StepEvent {
  readonly kind: 'step';
  /** Counts from 0. */
  readonly epoch: number;
  /** Training steps done, of `steps` in the whole job. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss of the global batch. */
  readonly loss: number;
  /** Correct answers in the global batch of `samples`; undefined for a loss without classes. */
  readonly correct: number | undefined;
  readonly samples: number;
  readonly stepMs: number;
  /** Of these, kernels at work and waiting for messages of others. */
  readonly computeMs: number;
  readonly waitMs: number;
}

/** The test set has been evaluated: at the end of each epoch and of the job. */
export interface EpochEvent {
  readonly kind: 'epoch';
  readonly epoch: number;
  readonly step: number;
  readonly testLoss: number;
  /** Share of correct answers, 0 to 1; undefined for a loss without classes. */
  readonly testAccuracy: number | undefined;
  readonly testSamples: number;
}

/** A checkpoint was written by this node. */
export interface CheckpointEvent {
  readonly kind: 'checkpoint';
  readonly step: number;
  readonly path: string;
}

/** Whoever drives this device holds its run, or lets it go on. */
export interface PauseEvent {
  readonly kind: 'pause';
  readonly paused: boolean;
}

export type TrainingEvent = StepEvent | EpochEvent | CheckpointEvent | PauseEvent;

/** How the whole job ended. */
export interface Result {
  readonly steps: number;
  /** Undefined without a test set, and for a loss without classes. */
  readonly testAccuracy: number | undefined;
  readonly testLoss: number | undefined;
  /** Path of the last checkpoint that this node wrote, if it writes any. */
  readonly checkpoint: string | undefined;
  /** Hexadecimal checksum over all weights, equal on every node; undefined on one that does not hold all of them. */
  readonly weightsChecksum: string | undefined;
}
