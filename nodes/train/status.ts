/** The status dot of mqtile-train. */

import type { RunView } from '../cluster/job-watch.ts';
import type { Status } from '../red.ts';

/** A run that somebody stopped is no failure. */
export const STOPPED = 'stopped';

export function statusOf({ phase, step, steps, failure, finished }: RunView): Status {
  switch (phase) {
    case 'idle':
      return { fill: 'grey', shape: 'ring', text: 'waiting' };
    case 'preparing':
      return { fill: 'yellow', shape: 'ring', text: 'preparing' };
    case 'training':
      return { fill: 'green', shape: 'dot', text: steps === 0 ? 'training' : `training step ${step}/${steps}` };
    case 'done':
      return { fill: 'green', shape: 'ring', text: `done${accuracy(finished?.testAccuracy)}` };
    case 'failed':
      return failure?.code === STOPPED
        ? { fill: 'grey', shape: 'dot', text: `stopped at step ${step}` }
        : { fill: 'red', shape: 'dot', text: `failed: ${failure?.code ?? 'unknown'}` };
  }
}

function accuracy(share: number | null | undefined): string {
  return typeof share === 'number' ? `, ${(100 * share).toFixed(2)} % right` : '';
}
