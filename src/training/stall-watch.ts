/** StallWatch: notices a step that nobody advances. It runs only while the run waits for its driver, never while kernels or messages are under way. */

export class StallWatch {
  readonly #limitMs: number;
  readonly #onStall: (waitedMs: number) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number, onStall: (waitedMs: number) => void) {
    this.#limitMs = limitMs;
    this.#onStall = onStall;
  }

  /** The driver's turn begins. */
  rest(): void {
    this.stop();
    this.#timer = setTimeout(() => this.#onStall(this.#limitMs), this.#limitMs).unref();
  }

  /** The driver has come, or the step is over. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
