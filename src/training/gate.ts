/** Gate: lets steps begin, or not. */

export class Gate {
  #shut: PromiseWithResolvers<void> | undefined;

  /** Idempotent. */
  shut(): void {
    this.#shut ??= Promise.withResolvers();
  }

  /** Idempotent. */
  open(): void {
    this.#shut?.resolve();
    this.#shut = undefined;
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
