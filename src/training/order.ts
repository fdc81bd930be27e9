/** Order: which call of a run may come next. A step is forward 0 … S-1, loss, backward S-1 … 0, each stage reduced after its backward, update. */

import { RunError } from '../errors.ts';

type Place =
  | { readonly at: 'between' }
  | { readonly at: 'forward'; readonly stage: number }
  | { readonly at: 'loss' }
  | { readonly at: 'backward'; readonly stage: number };

/** Words for a call of a stage; people count stages from 1, as plans print them. */
function callOf(call: 'forward' | 'backward' | 'reduce', stage: number): string {
  return `${call} of stage ${stage + 1}`;
}

/** Keeps the place in a step; every method throws `outOfOrder` when its turn has not come. */
export class StepOrder {
  readonly #stages: number;
  readonly #reduced = new Set<number>();
  #place: Place = { at: 'between' };

  constructor(stages: number) {
    this.#stages = stages;
  }

  /** Whether a step is open, and where it is, for messages. */
  get open(): boolean {
    return this.#place.at !== 'between';
  }

  describe(): string {
    const place = this.#place;
    if (place.at === 'between') return 'the next batch';
    if (place.at === 'loss') return 'loss';
    if (place.at === 'forward') return callOf('forward', place.stage);
    if (place.stage >= 0) return callOf('backward', place.stage);
    const missing = this.#unreduced();
    return missing === undefined ? 'update' : callOf('reduce', missing);
  }

  begin(): void {
    if (this.open) throw this.#error('the next batch');
    this.#reduced.clear();
    this.#place = { at: 'forward', stage: 0 };
  }

  forward(stage: number): void {
    if (this.#place.at !== 'forward' || this.#place.stage !== stage) throw this.#error(callOf('forward', stage));
    this.#place = stage + 1 < this.#stages ? { at: 'forward', stage: stage + 1 } : { at: 'loss' };
  }

  loss(): void {
    if (this.#place.at !== 'loss') throw this.#error('loss');
    this.#place = { at: 'backward', stage: this.#stages - 1 };
  }

  backward(stage: number): void {
    if (this.#place.at !== 'backward' || this.#place.stage !== stage) throw this.#error(callOf('backward', stage));
    this.#place = { at: 'backward', stage: stage - 1 };
  }

  reduce(stage: number): void {
    const computed = this.#place.at === 'backward' && stage > this.#place.stage && stage < this.#stages;
    if (!computed || this.#reduced.has(stage)) throw this.#error(callOf('reduce', stage));
    this.#reduced.add(stage);
  }

  update(): void {
    const computed = this.#place.at === 'backward' && this.#place.stage < 0;
    if (!computed || this.#unreduced() !== undefined) throw this.#error('update');
    this.#place = { at: 'between' };
  }

  #unreduced(): number | undefined {
    for (let stage = this.#stages - 1; stage >= 0; stage--) {
      if (!this.#reduced.has(stage)) return stage;
    }
    return undefined;
  }

  #error(got: string): RunError {
    return new RunError(
      'outOfOrder',
      `got ${got}, want ${this.describe()}: a step goes forward, loss, backward with reduce, update`,
    );
  }
}
