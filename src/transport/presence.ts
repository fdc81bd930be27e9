/** Presence of one peer: from connections that come and go to the three events that a run cares about. */

import type { PeerEvent } from './transport.ts';

/** A peer whose connections stay down this long is lost. */
export const LOST_MS = 3000;

/** State machine of one peer: up while both connections and its instance are there; lost once after each time it was up. */
export class Presence {
  readonly #peer: string;
  readonly #lostMs: number;
  readonly #emit: (event: PeerEvent) => void;
  #connected = { data: false, control: false };
  #instance: string | undefined;
  #up = false;
  /** It was up since it was last lost. */
  #known = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(peer: string, emit: (event: PeerEvent) => void, lostMs = LOST_MS) {
    this.#peer = peer;
    this.#emit = emit;
    this.#lostMs = lostMs;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Whether both connections are open. */
  get connected(): boolean {
    return this.#connected.data && this.#connected.control;
  }

  /** One of our connections to the peer opened or closed. */
  connection(kind: 'data' | 'control', open: boolean, reason: string): void {
    if (this.#connected[kind] === open) return;
    this.#connected[kind] = open;
    this.#update(reason);
    if (open) this.#disarm();
    else if (this.#known && !this.#connected.data && !this.#connected.control) {
      this.#disarm();
      this.#timer = setTimeout(() => this.#lost(`no connection for ${this.#lostMs / 1000} s`), this.#lostMs).unref();
    }
  }

  /** The peer said which start of its program it is; undefined takes that back. */
  seen(instance: string | undefined): void {
    if (instance === this.#instance) return;
    if (this.#known) this.#lost('it was started again');
    this.#instance = instance;
    this.#update('it has not said who it is');
  }

  close(): void {
    this.#disarm();
  }

  #update(reason: string): void {
    const up = this.connected && this.#instance !== undefined;
    if (up === this.#up) return;
    this.#up = up;
    if (up) this.#known = true;
    this.#emit(up ? { kind: 'up', peer: this.#peer } : { kind: 'down', peer: this.#peer, reason });
  }

  #lost(reason: string): void {
    this.#disarm();
    this.#known = false;
    if (this.#up) {
      this.#up = false;
      this.#emit({ kind: 'down', peer: this.#peer, reason });
    }
    this.#emit({ kind: 'lost', peer: this.#peer, reason });
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
