/** Probe: loaded before Node-RED into its process, it answers what only the process itself knows. Its parent asks over the channel between them. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

/** After a collection of garbage, where the process allows one. */
export interface MemoryAnswer {
  readonly heapBytes: number;
  /** Buffers outside the heap, those that JavaScript sees and those that only native code does. */
  readonly externalBytes: number;
  readonly residentBytes: number;
  /** What keeps the event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

/** How late timers of the event loop were since it was asked before, in ms. */
export interface DelayAnswer {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly samples: number;
}

/** A timer this often finds out how late it is. */
const RESOLUTION_MS = 1;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

const ANSWERS: Readonly<Record<string, () => object>> = { memory, delay: delays };

process.on('message', (message) => {
  const { question } = message as { readonly question: string };
  const answer = ANSWERS[question]?.();
  if (answer) process.send?.({ question, answer });
});
// Node-RED should end when it has nothing else to do.
process.channel?.unref();

function memory(): MemoryAnswer {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return { heapBytes: heapUsed, externalBytes: external, residentBytes: rss, resources };
}

/** Begins to measure when it is asked first. */
function delays(): DelayAnswer {
  delay.enable();
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const answer = {
    p50Ms: late(delay.percentile(50)),
    p99Ms: late(delay.percentile(99)),
    maxMs: late(delay.max),
    samples: delay.count,
  };
  delay.reset();
  return answer;
}
