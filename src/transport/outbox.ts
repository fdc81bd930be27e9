/** Outbox: documents on their way to one peer's broker. Of a retained topic only the latest waits, so that a slow peer gets news, not history. */

import type { Posted } from './board.ts';

/** Documents that may be on their way at once. */
const UNDERWAY = 16;

/** Bytes of documents that are not retained which may wait; beyond, new ones are dropped: whoever asks, asks again. */
const WAITING_BYTES = 1024 * 1024;

/** Bounded queue of documents. */
export class Outbox {
  readonly #send: (posted: Posted, done: () => void) => void;
  readonly #waiting = new Map<string, Posted>();
  #transientBytes = 0;
  #transients = 0;
  #underway = 0;
  #open = false;
  /** Grows at every connect: what was on its way before does not count any more. */
  #connection = 0;
  #drained: (() => void) | undefined;

  /** @param send hands a document to the connection; `done` when the peer's broker has it */
  constructor(send: (posted: Posted, done: () => void) => void) {
    this.#send = send;
  }

  put(posted: Posted): void {
    if (posted.retain) {
      if (!this.#open) return; // opened() brings all of them
      this.#waiting.delete(posted.topic);
      this.#waiting.set(posted.topic, posted);
    } else {
      if (this.#transientBytes + posted.json.length > WAITING_BYTES) return;
      this.#transientBytes += posted.json.length;
      this.#waiting.set(`${posted.topic} ${this.#transients++}`, posted);
    }
    this.#pump();
  }

  /** The connection is there: all retained documents of this node go first. */
  opened(own: Iterable<Posted>): void {
    this.#open = true;
    this.#connection++;
    this.#underway = 0;
    const transient = [...this.#waiting].filter(([, posted]) => !posted.retain);
    this.#waiting.clear();
    for (const posted of own) this.#waiting.set(posted.topic, posted);
    for (const [key, posted] of transient) this.#waiting.set(key, posted);
    this.#pump();
  }

  closed(): void {
    this.#open = false;
    this.#drained?.();
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.clear();
    this.#transientBytes = 0;
  }

  /** Resolves when nothing waits and nothing is on its way, or the connection is gone. */
  async drained(): Promise<void> {
    if (!this.#open || (this.#waiting.size === 0 && this.#underway === 0)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    await promise;
  }

  #pump(): void {
    for (const [key, posted] of this.#waiting) {
      if (!this.#open || this.#underway >= UNDERWAY) return;
      this.#waiting.delete(key);
      if (!posted.retain) this.#transientBytes -= posted.json.length;
      this.#underway++;
      const connection = this.#connection;
      this.#send(posted, () => {
        if (connection !== this.#connection) return;
        this.#underway--;
        this.#pump();
        if (this.#waiting.size === 0 && this.#underway === 0) this.#drained?.();
      });
    }
  }
}
