/** CurrentPredictor: the model of one mqtile-predict. It follows its checkpoint: a newer one is taken when the next image comes. */

import { stat } from 'node:fs/promises';
import { findCheckpoint, loadPredictor, type LoadedPredictor } from 'mqtile';
import { leaseEngine, type EngineLease } from './shared-engine.ts';

/** A predictor that is ready. */
export interface ReadyPredictor {
  readonly predictor: LoadedPredictor;
  /** Why an older checkpoint is still in use: the newest cannot be read, perhaps because it is being written. */
  readonly stale: Error | undefined;
}

export class CurrentPredictor {
  readonly #path: string;
  #lease: EngineLease | undefined;
  #predictor: LoadedPredictor | undefined;
  /** Which manifest the predictor was made from, and when that was written. */
  #made = '';

  /** @param path a checkpoint's file, or a directory, of which the newest is taken */
  constructor(path: string) {
    this.#path = path;
  }

  /** Loads what is not loaded yet. Calls must not overlap. @throws {InputError} as `loadPredictor`, where nothing was loaded before either */
  async ready(): Promise<ReadyPredictor> {
    try {
      return { predictor: await this.#newest(), stale: undefined };
    } catch (error) {
      if (!this.#predictor) throw error;
      return { predictor: this.#predictor, stale: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  /** Gives memory and engine back; idempotent. No prediction may be under way. */
  async close(): Promise<void> {
    this.#predictor?.close();
    this.#predictor = undefined;
    await this.#lease?.release();
    this.#lease = undefined;
  }

  async #newest(): Promise<LoadedPredictor> {
    const manifest = await findCheckpoint(this.#path);
    const { mtimeMs, size, ino } = await stat(manifest);
    const made = `${manifest} ${mtimeMs} ${size} ${ino}`;
    if (this.#predictor && made === this.#made) return this.#predictor;
    this.#lease ??= leaseEngine();
    const next = await loadPredictor(manifest, await this.#lease.engine);
    this.#predictor?.close();
    this.#predictor = next;
    this.#made = made;
    return next;
  }
}
