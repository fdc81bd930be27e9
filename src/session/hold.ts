/** Hold: whether the run of this node is paused, from the moment that it is accepted to its end, whoever pauses it. */

import type { NodeState } from '../protocol/documents.ts';
import type { TrainingEvent } from '../training/events.ts';
import type { Run } from '../training/run.ts';

export class Hold {
  readonly #post: (state: NodeState['state']) => void;
  #run: Pick<Run, 'pause' | 'resume'> | undefined;
  #paused = false;
  #ended = false;

  /** @param post says this node's state to the cluster */
  constructor(post: (state: NodeState['state']) => void) {
    this.#post = post;
  }

  /** The run is prepared; it may have been paused before. */
  take(run: Pick<Run, 'pause' | 'resume'>): void {
    this.#run = run;
    if (this.#paused) run.pause();
  }

  /** Hears of the run that it was paused or goes on: its driver does that too. */
  hear(event: TrainingEvent): void {
    if (event.kind === 'pause') this.#set(event.paused);
  }

  pause(): void {
    this.#run?.pause();
    this.#set(true);
  }

  resume(): void {
    this.#run?.resume();
    this.#set(false);
  }

  /** The run is over: there is nothing to pause any more. */
  end(): void {
    this.#ended = true;
    this.#run = undefined;
  }

  #set(paused: boolean): void {
    if (paused === this.#paused || this.#ended) return;
    this.#paused = paused;
    this.#post(paused ? 'paused' : 'training');
  }
}
