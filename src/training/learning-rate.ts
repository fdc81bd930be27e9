/** Learning rate: how large a step is taken, from the first step of a job to its last. */

export interface LearningRate {
  /** At the first step. */
  readonly rate: number;
  /** `linear`: falls in a straight line to 0 at the end of the job, so that the last steps no longer jump about. */
  readonly decay: 'none' | 'linear';
}

/**
 * Rate of one step; the same on every node and after a resume.
 * @param step training steps done before it, of `steps` in the whole job
 */
export function rateOf({ rate, decay }: LearningRate, step: number, steps: number): number {
  return decay === 'linear' ? rate * (1 - step / steps) : rate;
}
