/** Delivery: a {@link Transport} over any {@link Wire}. Sorts what arrives by job and hands it to the session that is open. */

import { TransportError } from '../errors.ts';
import { DEFAULT_TIMING, DeliverySession } from './session.ts';
import type { SessionTiming } from './session.ts';
import type { PeerEvent, Session, SessionOptions, Transport } from './transport.ts';
import type { Route, Wire } from './wire.ts';

/** {@link Transport} over a wire. */
export class Delivery implements Transport {
  readonly self: string;
  /** Frames that no open session wanted: it was not opened yet, or is closed. */
  strayFrames = 0;
  readonly #wire: Wire;
  readonly #timing: SessionTiming;
  readonly #sessions = new Map<string, DeliverySession>();
  readonly #listeners = new Set<(event: PeerEvent) => void>();

  constructor(wire: Wire, timing: Partial<SessionTiming> = {}) {
    this.self = wire.self;
    this.#wire = wire;
    this.#timing = { ...DEFAULT_TIMING, ...timing };
    wire.attach({ frame: (from, bytes) => this.#frame(from, bytes), peer: (event) => this.#peer(event) });
  }

  /** @throws TransportError sessionOpen when the job has one already */
  open(options: SessionOptions): Session {
    if (this.#sessions.has(options.job)) {
      throw new TransportError('sessionOpen', `job ${options.job} is open already on ${this.self}: close it first`);
    }
    const closed = () => {
      if (this.#sessions.get(options.job) === session) this.#sessions.delete(options.job);
    };
    const session: DeliverySession = new DeliverySession(this.#wire, options, this.#timing, closed);
    this.#sessions.set(options.job, session);
    return session;
  }

  onPeer(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Closes every session. */
  close(): void {
    for (const session of this.#sessions.values()) session.close();
  }

  #frame(from: Route, bytes: Uint8Array): void {
    const session = this.#sessions.get(from.job);
    if (session) session.receive(from, bytes);
    else this.strayFrames++;
  }

  #peer(event: PeerEvent): void {
    for (const session of this.#sessions.values()) {
      if (event.kind === 'up') session.reconnected(event.peer);
      if (event.kind === 'lost') session.lost(event.peer, event.reason);
    }
    for (const listener of this.#listeners) listener(event);
  }
}
