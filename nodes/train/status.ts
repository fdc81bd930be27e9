/** The status dot of nodes that train. */

import type { RunView } from '../cluster/job-watch.ts';
import type { Status } from '../red.ts';

/** A run that somebody stopped is no failure. */
export const STOPPED = 'stopped';

/** What of the cluster decides the status besides the run. */
export interface Surroundings {
  /** Why the node cannot be asked. */
  readonly away: string | undefined;
  /** A job was handed in and not accepted yet. */
  readonly starting: boolean;
  /** Peers that are not there. */
  readonly missing: readonly string[];
  /** Whether the run is paused here. */
  readonly paused: boolean;
  /** Peers on which it is paused. */
  readonly pausedPeers: readonly string[];
}

export function statusOf(view: RunView, around: Surroundings): Status {
  const { phase, step, failure, finished } = view;
  if (around.away !== undefined) return { fill: 'red', shape: 'ring', text: around.away };
  if (around.starting) return idle(around);
  switch (phase) {
    case 'idle':
      return idle(around);
    case 'preparing':
      return waiting('yellow', around.missing) ?? { fill: 'yellow', shape: 'ring', text: 'preparing' };
    case 'training':
      return training(view, around);
    case 'done':
      return { fill: 'green', shape: 'ring', text: `done${accuracy(finished?.testAccuracy)}` };
    case 'failed':
      return failure?.code === STOPPED
        ? { fill: 'grey', shape: 'dot', text: `stopped at step ${step}` }
        : { fill: 'red', shape: 'dot', text: `failed: ${failure?.code ?? 'unknown'}` };
  }
}

function idle({ missing, starting }: Surroundings): Status {
  return waiting('grey', missing) ?? { fill: 'grey', shape: 'ring', text: starting ? 'starting' : 'ready' };
}

function training({ step, steps }: RunView, { paused, pausedPeers }: Surroundings): Status {
  if (paused) return { fill: 'yellow', shape: 'dot', text: `paused at step ${step}` };
  const text = steps === 0 ? 'training' : `training step ${step}/${steps}`;
  return waiting('yellow', pausedPeers) ?? { fill: 'green', shape: 'dot', text };
}

function waiting(fill: Status['fill'], peers: readonly string[]): Status | undefined {
  return peers.length === 0 ? undefined : { fill, shape: 'ring', text: `waiting for ${peers.join(', ')}` };
}

function accuracy(share: number | null | undefined): string {
  return typeof share === 'number' ? `, ${(100 * share).toFixed(2)} % right` : '';
}
