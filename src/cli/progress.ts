/** Progress: one line that renews itself on a terminal, and a line now and then in a log file. */

import { formatSeconds, paint } from './format.ts';

/** Where standard error is not a terminal, a line appears this often. */
const LOG_PERIOD_MS = 10_000;

export interface ProgressState {
  readonly epoch: number;
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #lastMs = -Infinity;
  #shown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** Shows where training is. */
  show(state: ProgressState): void {
    const now = performance.now();
    const last = state.step === state.steps;
    if (!this.#stream.isTTY && !last && now - this.#lastMs < LOG_PERIOD_MS) return;
    this.#lastMs = now;
    this.#write(this.#describe(state));
  }

  /** Prints a line of its own. */
  line(text: string): void {
    this.end();
    this.#stream.write(`${text}\n`);
  }

  /** Leaves the renewing line standing. */
  end(): void {
    if (this.#shown) this.#stream.write('\n');
    this.#shown = false;
  }

  #write(text: string): void {
    if (!this.#stream.isTTY) {
      this.#stream.write(`${text}\n`);
      return;
    }
    this.#stream.write(`\r\x1b[K${text}`);
    this.#shown = true;
  }

  #describe({ epoch, step, steps, loss, imagesPerSecond, secondsLeft }: ProgressState): string {
    const parts = [
      `epoch ${epoch + 1}`,
      `step ${step}/${steps}`,
      `loss ${loss.toFixed(4)}`,
      `${Math.round(imagesPerSecond)} images/s`,
      `${formatSeconds(secondsLeft)} left`,
    ];
    const width = 20;
    const filled = Math.round((width * step) / steps);
    const bar = `${paint('green', '━'.repeat(filled), this.#stream)}${paint('dim', '─'.repeat(width - filled), this.#stream)}`;
    return this.#stream.isTTY ? `${bar} ${parts.join('  ')}` : parts.join('  ');
  }
}
