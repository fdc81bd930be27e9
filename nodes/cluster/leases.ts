/** Leases: what belongs to the process and is lent to visual nodes. A deploy closes every visual node and starts it again; what they used goes on. */

/** What no visual node asks for any more goes on this long: a redeploy comes back, and a run should not notice. */
const LINGER_MS = 30_000;

/** A claim on something that runs. */
export interface Lease<Lent> {
  /** @throws whatever kept it from starting */
  readonly started: Promise<Lent>;
  /** Idempotent. It goes on for 30 s, in case the same settings come back. */
  release(): void;
}

/** How something is known, and what it must be closed and started anew for. */
export interface Terms<Lent> {
  readonly key: string;
  readonly settings: string;
  start(): Promise<Lent>;
  /** What is thrown when others use it with other settings. */
  taken(): Error;
}

interface Entry<Lent> {
  readonly settings: string;
  readonly started: Promise<Lent>;
  users: number;
  linger: NodeJS.Timeout | undefined;
}

export class Leases<Lent extends { close(): Promise<void> }> {
  readonly #entries = new Map<string, Entry<Lent>>();
  /** What is closing, by key: its ports are taken until it is gone. */
  readonly #closing = new Map<string, Promise<void>>();

  /** The one of these settings: that which runs already, or a new one. @throws what the terms say when it is taken */
  lease(terms: Terms<Lent>): Lease<Lent> {
    const { key, settings } = terms;
    const known = this.#entries.get(key);
    if (known && known.settings !== settings) {
      if (known.users > 0) throw terms.taken();
      void this.#end(key, known);
    }
    const entry = this.#entries.get(key) ?? this.#begin(terms);
    clearTimeout(entry.linger);
    entry.users++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      entry.users--;
      if (entry.users === 0) entry.linger = setTimeout(() => void this.#end(key, entry), LINGER_MS).unref();
    };
    return { started: entry.started, release };
  }

  /** Ends everything that is lent, used or not. Never rejects. */
  async closeAll(): Promise<void> {
    await Promise.all([...[...this.#entries].map(([key, entry]) => this.#end(key, entry)), ...this.#closing.values()]);
  }

  #begin({ key, settings, start }: Terms<Lent>): Entry<Lent> {
    const started = Promise.resolve(this.#closing.get(key)).then(start);
    const entry: Entry<Lent> = { settings, started, users: 0, linger: undefined };
    this.#entries.set(key, entry);
    // What did not start is forgotten, so that the next deploy tries again.
    started.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return entry;
  }

  #end(key: string, entry: Entry<Lent>): Promise<void> {
    clearTimeout(entry.linger);
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    const ended = entry.started.then(
      (lent) => lent.close(),
      () => {},
    );
    const settled = ended
      .catch(() => {})
      .finally(() => {
        if (this.#closing.get(key) === settled) this.#closing.delete(key);
      });
    this.#closing.set(key, settled);
    return settled;
  }
}
