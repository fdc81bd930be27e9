/** Hold: whether the run of this node is paused, from the moment that it is accepted to its end. */

import type { NodeState } from '../protocol/documents.ts';
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

  pause(): void {
    if (this.#paused || this.#ended) return;
    this.#paused = true;
    this.#run?.pause();
    this.#post('paused');
  }

  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    this.#run?.resume();
    this.#post('training');
  }

  /** The run is over: there is nothing to pause any more. */
  end(): void {
    this.#ended = true;
    this.#run = undefined;
  }
}
