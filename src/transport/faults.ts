/** Faults: a wire that goes wrong at random, by a seed. Wraps any wire, so that real nodes can be put through it too. */

import type { Route, Wire, WireListener, Written } from './wire.ts';

/** Probabilities for each frame sent; at most one of them happens to a frame. */
export interface Faults {
  readonly seed: number;
  readonly drop?: number;
  readonly duplicate?: number;
  /** Held back for up to `delayMs`, so that later frames overtake it. */
  readonly delay?: number;
  /** One bit is flipped. */
  readonly flip?: number;
  /** The data connection from the receiver to this node breaks. */
  readonly cut?: number;
  /** Longest delay, in ms. */
  readonly delayMs?: number;
}

/** Pseudo-random numbers in [0, 1): mulberry32, 32 bits of state. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** {@link Wire} that loses, repeats, delays and damages what is sent through it, and breaks connections. */
export class FaultWire implements Wire {
  readonly self: string;
  readonly #inner: Wire;
  readonly #faults: Faults;
  readonly #random: () => number;

  constructor(inner: Wire, faults: Faults) {
    this.self = inner.self;
    this.#inner = inner;
    this.#faults = faults;
    this.#random = randomFrom(faults.seed);
  }

  attach(listener: WireListener): void {
    this.#inner.attach(listener);
  }

  isUp(peer: string): boolean {
    return this.#inner.isUp(peer);
  }

  reset(peer: string): void {
    this.#inner.reset(peer);
  }

  send(to: Route, bytes: Uint8Array, written: Written): void {
    const { drop = 0, duplicate = 0, delay = 0, flip = 0, cut = 0, delayMs = 20 } = this.#faults;
    let draw = this.#random();
    const happens = (probability: number) => (draw -= probability) < 0;
    if (happens(drop)) return void setImmediate(written);
    if (happens(duplicate)) this.#inner.send(to, bytes.slice(), () => {});
    else if (happens(delay)) {
      const copy = bytes.slice();
      setTimeout(() => this.#inner.send(to, copy, () => {}), this.#random() * delayMs).unref();
      return void setImmediate(written);
    } else if (happens(flip)) {
      const copy = bytes.slice();
      copy[Math.floor(this.#random() * copy.length)]! ^= 1 << Math.floor(this.#random() * 8);
      return this.#inner.send(to, copy, written);
    } else if (happens(cut)) this.#inner.reset(to.peer);
    this.#inner.send(to, bytes, written);
  }
}
