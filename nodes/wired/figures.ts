/** Figures: what a visual node shows of its work, averaged over about a second: a status that changes more often cannot be read. */

import type { Status } from '../red.ts';

const INTERVAL_MS = 1000;

/** One call of a visual node. */
export interface Work {
  /** Milliseconds that kernels took. */
  readonly computeMs: number;
  /** Multiply-adds that they did. */
  readonly multiplyAdds: number;
  /** What it worked on, for people, e.g. the box of a tile. */
  readonly about: string;
}

export class Figures {
  #since = -Infinity;
  #calls = 0;
  #computeMs = 0;
  #multiplyAdds = 0;
  #text = '';

  /** Counts a call. @returns a status when it is time for a new one */
  add({ computeMs, multiplyAdds, about }: Work, now: number): Status | undefined {
    this.#calls++;
    this.#computeMs += computeMs;
    this.#multiplyAdds += multiplyAdds;
    if (now - this.#since < INTERVAL_MS) return undefined;
    const ms = this.#computeMs / this.#calls;
    const parts = [about, `${ms.toFixed(1)} ms`];
    if (this.#multiplyAdds > 0) parts.push(`${gigaflops(this.#multiplyAdds, this.#computeMs).toFixed(1)} GFLOP/s`);
    this.#since = now;
    this.#calls = 0;
    this.#computeMs = 0;
    this.#multiplyAdds = 0;
    this.#text = parts.filter((part) => part !== '').join(' · ');
    return { fill: 'green', shape: 'dot', text: this.#text };
  }

  /** The newest figures, when no run is under way any more. */
  get rest(): Status {
    return { fill: 'grey', shape: 'ring', text: this.#text };
  }
}

/** 10^9 floating-point operations a second; a multiply-add is two. */
export function gigaflops(multiplyAdds: number, ms: number): number {
  return ms === 0 ? 0 : (2 * multiplyAdds) / ms / 1e6;
}
