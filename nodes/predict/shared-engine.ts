/** The engine of all mqtile-predict nodes of this process: one kernel thread, there while a node that has predicted is. */

import { createEngine, type Engine } from 'mqtile';

/** A claim on the engine. */
export interface EngineLease {
  readonly engine: Promise<Engine>;
  /** Idempotent; resolves when the engine is closed, if this claim was the last. */
  release(): Promise<void>;
}

let shared: Promise<Engine> | undefined;
let users = 0;

/** The engine that runs, or a new one. */
export function leaseEngine(): EngineLease {
  const engine = (shared ??= createEngine({ revectorize: false }));
  users++;
  // What did not start is forgotten, so that the next image tries again.
  engine.catch(() => {
    if (shared === engine) shared = undefined;
  });
  let released: Promise<void> | undefined;
  return { engine, release: () => (released ??= release()) };
}

async function release(): Promise<void> {
  users--;
  if (users > 0 || !shared) return;
  const last = shared;
  shared = undefined;
  await (await last).close();
}
