/** MemoryGauge: resident memory of this process, idle and at its peak while a job runs. */

/** Memory is looked at this often. */
const PERIOD_MS = 200;

export class MemoryGauge {
  readonly idleBytes = process.memoryUsage.rss();
  readonly #timer: NodeJS.Timeout;
  #residentBytes = this.idleBytes;
  #peakBytes = this.idleBytes;

  constructor() {
    this.#timer = setInterval(() => this.#look(), PERIOD_MS).unref();
  }

  /** Looks once more. @returns bytes */
  read(): { readonly idleBytes: number; readonly residentBytes: number; readonly peakBytes: number } {
    this.#look();
    return { idleBytes: this.idleBytes, residentBytes: this.#residentBytes, peakBytes: this.#peakBytes };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#residentBytes = process.memoryUsage.rss();
    this.#peakBytes = Math.max(this.#peakBytes, this.#residentBytes);
  }
}
