/** HolderCheck: every holder of weights says which checksum it has, and the owner compares. */

import type { Collective } from '../collective/collective.ts';
import { RunError } from '../errors.ts';
import { METRICS, type Plan } from '../planner/plan.ts';

/** Checksum of the weights that `owner` owns and `holder` holds, as this device has them. */
export type ChecksumOf = (owner: number, holder: number) => number;

export class HolderCheck {
  readonly #plan: Plan;
  readonly #rank: number;
  readonly #collective: Collective;
  readonly #signal: AbortSignal;
  readonly #onDisagreement: (error: RunError) => void;
  /** Ranks that hold weights that this device owns. */
  readonly #holders: readonly number[];

  constructor(
    plan: Plan,
    rank: number,
    collective: Collective,
    signal: AbortSignal,
    onDisagreement: (error: RunError) => void,
  ) {
    this.#plan = plan;
    this.#rank = rank;
    this.#collective = collective;
    this.#signal = signal;
    this.#onDisagreement = onDisagreement;
    this.#holders = plan.devices.flatMap((_, holder) => (holder !== rank && this.#shares(holder) ? [holder] : []));
  }

  /** Frees an iteration; with `checksumOf` it says what this device holds of each owner, and compares what holders say. */
  free(iteration: number, checksumOf?: ChecksumOf): void {
    const owners = this.#plan.devices.flatMap((_, owner) => (owner === this.#rank ? [] : [owner]));
    this.#collective.free(iteration, new Map(owners.map((owner) => [owner, checksumOf?.(owner, this.#rank) ?? 0])));
    if (!checksumOf) return;
    for (const holder of this.#holders) {
      this.#compare(iteration, holder, checksumOf(this.#rank, holder)).catch((error: unknown) => {
        // An abort ends the wait, and everything else with it.
        if (error instanceof RunError && error.code === 'weightsDisagree') this.#onDisagreement(error);
      });
    }
  }

  async #compare(iteration: number, holder: number, mine: number): Promise<void> {
    const theirs = await this.#collective.freed(iteration, holder, this.#signal);
    if (theirs === mine) return;
    const [owner, other] = [this.#plan.devices[this.#rank], this.#plan.devices[holder]];
    const hex = (checksum: number) => checksum.toString(16).padStart(8, '0');
    throw new RunError(
      'weightsDisagree',
      `${other} holds other weights of ${owner} than ${owner} itself after iteration ${iteration}: checksum ${hex(theirs)}, want ${hex(mine)}; resume from the last checkpoint`,
    );
  }

  #shares(holder: number): boolean {
    return this.#plan.parameters.some(
      ({ name, holders, pieces }) =>
        name !== METRICS && holders.includes(holder) && pieces.some(({ owner }) => owner === this.#rank),
    );
  }
}
