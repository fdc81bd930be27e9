/** Deployed: the moment when Node-RED has started all nodes of a deploy, so that each can find the others. */

import type { Red } from '../red.ts';

/** One listener for each runtime, however many nodes wait. */
const waiting = new WeakMap<Red['events'], PromiseWithResolvers<void>>();
const followed = new WeakSet<Red['events']>();

/** Resolves when the deploy that is under way is complete. */
export function whenDeployed({ events }: Red): Promise<void> {
  const deploy = waiting.get(events) ?? Promise.withResolvers<void>();
  waiting.set(events, deploy);
  if (!followed.has(events)) {
    followed.add(events);
    events.on('flows:started', () => {
      waiting.get(events)?.resolve();
      waiting.delete(events);
    });
  }
  return deploy.promise;
}
