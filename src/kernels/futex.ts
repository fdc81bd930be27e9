/** Futex: waiting for a shared word to change without blocking the event loop. */

/**
 * Resolves when the word at `position` is no longer `before`. A wake-up alone means nothing: the notification that belongs to the change before
 * may come late, after somebody has begun to wait for the next one.
 */
export async function changed(words: Int32Array<SharedArrayBuffer>, position: number, before: number): Promise<void> {
  while (Atomics.load(words, position) === before) {
    const { async, value } = Atomics.waitAsync(words, position, before);
    if (async) await value;
  }
}
