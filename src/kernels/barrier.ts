/** Barrier: where the threads of a run wait for each other. It can be broken, so that nobody waits for a thread that failed. */

import { ARRIVED, BROKEN, GENERATION } from './control.ts';

/** Looks at the word before a thread falls asleep: about 20 µs, in which most others arrive. Falling asleep and waking cost more. */
const SPINS = 2000;

/**
 * Waits until `threads` threads have arrived; what they wrote before is seen after.
 * @returns false when the barrier was broken: nobody must go on
 */
export function arrive(words: Int32Array<SharedArrayBuffer>, threads: number): boolean {
  const generation = Atomics.load(words, GENERATION);
  if (Atomics.load(words, BROKEN) !== 0) return false;
  if (Atomics.add(words, ARRIVED, 1) + 1 === threads) {
    Atomics.store(words, ARRIVED, 0);
    nextGeneration(words);
    return true;
  }
  for (let spin = 0; spin < SPINS; spin++) {
    if (Atomics.load(words, GENERATION) !== generation) break;
  }
  // A wake-up alone means nothing: the word decides.
  while (Atomics.load(words, GENERATION) === generation) Atomics.wait(words, GENERATION, generation);
  return Atomics.load(words, BROKEN) === 0;
}

/** Sends everybody on who waits at the barrier or comes to it: a thread will never arrive. */
export function breakBarrier(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(words, BROKEN, 1);
  nextGeneration(words);
}

/** Makes a barrier ready for a run; nobody is at it. */
export function resetBarrier(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(words, ARRIVED, 0);
  Atomics.store(words, BROKEN, 0);
}

function nextGeneration(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(words, GENERATION, 1);
  Atomics.notify(words, GENERATION);
}
