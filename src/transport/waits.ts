/** Everything in a session that waits, so that one abort or one failure ends all of it. */

/** Something that waits: rejected when its signal aborts or its session fails. */
export interface Wait {
  readonly signal: AbortSignal;
  reject(reason: unknown): void;
}

/** The open waits of a session. One listener a signal, not one a wait: a step has dozens of waits under the same signal. */
export class Waits {
  readonly #open = new Set<Wait>();
  readonly #watched = new WeakSet<AbortSignal>();
  readonly #hold: (waiting: boolean) => void;
  #failure: Error | undefined;

  /** @param hold told whether anything waits: then the process must not end for want of other work */
  constructor(hold: (waiting: boolean) => void) {
    this.#hold = hold;
  }

  /** Registers a wait; rejects it at once when the session has failed or the signal is aborted. @returns whether it may wait */
  add(wait: Wait): boolean {
    if (this.#failure || wait.signal.aborted) {
      wait.reject(this.#failure ?? wait.signal.reason);
      return false;
    }
    this.#open.add(wait);
    if (this.#open.size === 1) this.#hold(true);
    if (!this.#watched.has(wait.signal)) {
      this.#watched.add(wait.signal);
      wait.signal.addEventListener('abort', () => this.#abort(wait.signal), { once: true });
    }
    return true;
  }

  delete(wait: Wait): void {
    if (this.#open.delete(wait) && this.#open.size === 0) this.#hold(false);
  }

  /** Rejects everything that waits, now and later. The first failure stays. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const wait of this.#open) wait.reject(this.#failure);
    this.#open.clear();
    this.#hold(false);
  }

  #abort(signal: AbortSignal): void {
    for (const wait of this.#open) {
      if (wait.signal !== signal) continue;
      this.delete(wait);
      wait.reject(signal.reason);
    }
  }
}
