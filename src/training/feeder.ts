/** Feeder: reads the samples of an iteration into the arena while the one before it runs. */

import type { Dataset } from '../dataset/dataset.ts';
import type { Program } from '../program/program.ts';
import type { Range } from '../tensor/box.ts';
import type { Iteration } from './schedule.ts';

export interface FeederOptions {
  readonly train: Dataset;
  readonly test: Dataset | undefined;
  readonly program: Program;
  /** The whole arena. */
  readonly memory: Uint8Array;
  /** Samples of a full batch whose images this device needs. */
  readonly samples: Range;
  readonly iterations: Iterator<Iteration, void>;
}

/** An iteration whose samples are on their way. */
interface Fed {
  readonly iteration: Iteration;
  readonly staged: Promise<void>;
}

export class Feeder {
  readonly #options: FeederOptions;
  #ahead: Fed | undefined;

  constructor(options: FeederOptions) {
    this.#options = options;
    this.#ahead = this.#begin();
  }

  /** The iteration that comes next, without taking it; undefined at the end. */
  peek(): Iteration | undefined {
    return this.#ahead?.iteration;
  }

  /** Takes the next iteration once its samples lie in the arena, and begins to read the one after it. */
  async next(): Promise<Iteration | undefined> {
    const fed = this.#ahead;
    if (!fed) return undefined;
    await fed.staged;
    this.#ahead = this.#begin();
    return fed.iteration;
  }

  #begin(): Fed | undefined {
    const next = this.#options.iterations.next();
    if (next.done) return undefined;
    const staged = this.#stage(next.value);
    // Whoever takes the iteration gets the error; until then it must not count as unhandled.
    staged.catch(() => {});
    return { iteration: next.value, staged };
  }

  async #stage({ iteration, indices, split }: Iteration): Promise<void> {
    const { train, test, program, memory, samples } = this.#options;
    if (indices.length === 0) return;
    const parity = (iteration % 2) as 0 | 1;
    const dataset = split === 'train' ? train : test!;
    const labels = new Int32Array(memory.buffer, memory.byteOffset + program.storage.labels[parity], indices.length);
    indices.forEach((index, n) => (labels[n] = dataset.labels[index]!));
    const needed = indices.subarray(samples[0], samples[1]);
    if (needed.length > 0) await dataset.read(needed, memory.subarray(program.storage.images[parity]));
  }
}
