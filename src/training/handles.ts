/** Handles of a run: made for what a phase left in the arena, good until the next phase, refused when they come from elsewhere. */

import { RunError } from '../errors.ts';
import type { Plan } from '../planner/plan.ts';
import type { Normalization } from '../program/options.ts';
import type { Program, Readable } from '../program/program.ts';
import { EMPTY_BOX, type Box } from '../tensor/box.ts';
import { Tensor, tensorExpired } from '../tensor/handle.ts';
import { parityOf } from './executor.ts';
import { readPixels, readView } from './read.ts';
import type { Iteration } from './schedule.ts';

export interface HandlesOptions {
  readonly run: string;
  readonly plan: Plan;
  readonly program: Program;
  /** The whole arena. */
  readonly memory: Uint8Array;
  readonly normalization: Normalization;
}

export class Handles {
  readonly #options: HandlesOptions;
  #iteration = -1;
  /** As people count them: the first is 1. */
  #step = 0;
  /** Counts phases: a handle is good for the count at which it was made. */
  #phase = 0;

  constructor(options: HandlesOptions) {
    this.#options = options;
  }

  /** A phase is about to use the arena: what was made before may be overwritten. */
  advance(): void {
    this.#phase++;
  }

  /** An iteration begins: handles of others are refused from now on. */
  begin({ iteration, step }: Pick<Iteration, 'iteration' | 'step'>): void {
    this.#iteration = iteration;
    this.#step = step + 1;
    this.#phase++;
  }

  /** No handle can be read any more. */
  close(): void {
    this.begin({ iteration: -1, step: -1 });
  }

  /** A handle on what the last phase left. @param readable undefined where this device owns nothing */
  make(stage: number, readable: Readable | undefined): Tensor {
    const [phase, iteration, step] = [this.#phase, this.#iteration, this.#step];
    const origin = { run: this.#options.run, iteration, step, stage, box: readable?.box ?? EMPTY_BOX };
    return new Tensor(origin, () => {
      if (phase !== this.#phase) throw tensorExpired(step);
      return readable ? readView(this.#options.memory, readable.view) : new Float32Array();
    });
  }

  /** A handle on the staged images of a batch, as input of stage 0; good for the whole step. */
  images({ iteration, samples }: Iteration): Tensor {
    const step = this.#step;
    const { plan, program, run, normalization, memory } = this.#options;
    const [first, last] = plan.stages[0]!.needed[program.rank]![0];
    const [, c, y, x] = plan.input[program.rank]!;
    const box: Box = [[first, Math.max(first, Math.min(last, samples))], c, y, x];
    return new Tensor({ run, iteration, step, stage: -1, box }, () => {
      if (iteration !== this.#iteration) throw tensorExpired(step);
      return readPixels(memory, program.storage.images[parityOf(iteration)], box, normalization);
    });
  }

  /** @throws {RunError} `foreignTensor` for one of another run or stage, `tensorExpired` for one of an earlier iteration */
  check({ run, iteration, step, stage }: Tensor, wanted: number): void {
    if (run !== this.#options.run) {
      throw new RunError('foreignTensor', `got a tensor of run ${run}, want one of run ${this.#options.run}`);
    }
    if (iteration !== this.#iteration) throw tensorExpired(step);
    if (stage !== wanted) {
      throw new RunError('foreignTensor', `got a tensor of ${stageName(stage)}, want one of ${stageName(wanted)}`);
    }
  }
}

function stageName(stage: number): string {
  return stage < 0 ? 'the input' : `stage ${stage + 1}`;
}
