/** Gate: lets steps begin, or not. */

export class Gate {
  #shut: PromiseWithResolvers<void> | undefined;

  /** @returns whether it was open */
  shut(): boolean {
    if (this.#shut) return false;
    this.#shut = Promise.withResolvers();
    return true;
  }

  /** @returns whether it was shut */
  open(): boolean {
    if (!this.#shut) return false;
    this.#shut.resolve();
    this.#shut = undefined;
    return true;
  }

  /** Resolves once the gate is open. @throws the signal's reason */
  async passage(signal: AbortSignal): Promise<void> {
    if (!this.#shut) return;
    const aborted = Promise.withResolvers<never>();
    const stop = () => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      // It may be shut again before whoever waits has woken.
      while (this.#shut) await Promise.race([this.#shut.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
