/** Trainer: drives a run to its end through the same calls that a person with wires makes. */

import type { Run } from './run.ts';

/** @throws what stopped the run, or the signal's reason */
export async function trainToEnd(run: Run, stages: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const stop = () => run.abort(signal!.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    while (await trainStep(run, stages));
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** One step. @returns false at the end of the job */
async function trainStep(run: Run, stages: number): Promise<boolean> {
  const batch = await run.nextBatch();
  if (!batch) return false;
  const activations = [];
  let x = batch.images;
  for (let stage = 0; stage < stages; stage++) {
    x = await run.forward(stage, x);
    activations.push(x);
  }
  let gradient = (await run.loss(x)).gradient;
  for (const activation of activations.toReversed()) {
    gradient = await run.backward(activation, gradient);
    await run.reduce(activation.stage);
  }
  await run.update();
  return true;
}
