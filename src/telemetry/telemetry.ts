/** Telemetry: what a run emits becomes topics that anybody may watch, at most one message a second and kind. */

import type { TelemetryKind } from '../protocol/topics.ts';
import type { EpochEvent, StepEvent, TrainingEvent } from '../training/events.ts';
import type { LossPoint } from './curve.ts';

/** At most one message of a kind in this time. */
const PERIOD_MS = 1000;

/** Losses that one message carries; with more steps a second, the latest. */
const RECENT_LOSSES = 512;

/** `telemetry/<node>/step`. */
export interface StepDocument {
  readonly run: string;
  readonly epoch: number;
  readonly step: number;
  readonly steps: number;
  /** Mean loss of the latest batch, and share of its samples that were right; absent for a loss without classes. */
  readonly loss: number;
  readonly accuracy?: number | undefined;
  /** Training samples of the whole cluster a second, over the steps since the last message. */
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
  /** Means per step, of this node. */
  readonly stepMs: number;
  readonly computeMs: number;
  readonly waitMs: number;
  /** Step and loss of each step since the last message. */
  readonly losses: readonly (readonly [step: number, loss: number])[];
}

/** `telemetry/<node>/epoch`. */
export interface EpochDocument {
  readonly run: string;
  readonly epoch: number;
  readonly step: number;
  readonly testLoss: number;
  /** Absent for a loss without classes. */
  readonly testAccuracy?: number | undefined;
  readonly testSamples: number;
}

/** `telemetry/<node>/memory`, bytes: what the plan predicts, and resident memory idle, now and at its peak. */
export interface MemoryDocument {
  readonly run: string;
  readonly predictedBytes: number;
  readonly idleBytes: number;
  readonly residentBytes: number;
  readonly peakBytes: number;
}

/** `telemetry/<node>/network`, since the run began. */
export interface NetworkDocument {
  readonly run: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly resent: number;
  readonly duplicates: number;
  readonly rejected: Readonly<Record<string, number>>;
}

export interface TelemetryOptions {
  readonly run: string;
  readonly post: (kind: TelemetryKind, document: object) => void;
  readonly memory: () => Omit<MemoryDocument, 'run'>;
  readonly network: () => Omit<NetworkDocument, 'run'>;
}

/** Totals of a run on this node. */
export interface Totals {
  readonly samples: number;
  readonly stepMs: number;
  readonly computeMs: number;
  readonly waitMs: number;
}

/** Turns the events of one run into documents, and keeps its totals and losses. */
export class Telemetry {
  readonly history: LossPoint[] = [];
  readonly #options: TelemetryOptions;
  readonly #timer: NodeJS.Timeout;
  #totals = { samples: 0, stepMs: 0, computeMs: 0, waitMs: 0 };
  #recent: StepEvent[] = [];
  /** The end of an epoch that is not told yet; a later one takes its place. */
  #epochDue: EpochDocument | undefined;
  #closed = false;
  #secondsPerStep = 0;

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#flush(), PERIOD_MS).unref();
  }

  get totals(): Totals {
    return this.#totals;
  }

  /** Takes an event of the run. */
  take(event: TrainingEvent): void {
    if (event.kind === 'step') this.#step(event);
    else if (event.kind === 'epoch') this.#epoch(event);
  }

  /** Publishes what is due and stops; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#flush();
  }

  #step(event: StepEvent): void {
    const { samples, stepMs, computeMs, waitMs } = this.#totals;
    this.#totals = {
      samples: samples + event.samples,
      stepMs: stepMs + event.stepMs,
      computeMs: computeMs + event.computeMs,
      waitMs: waitMs + event.waitMs,
    };
    this.history.push({ step: event.step, loss: event.loss });
    this.#recent.push(event);
    if (this.#recent.length > RECENT_LOSSES) this.#recent.shift();
  }

  #epoch({ epoch, step, testLoss, testAccuracy, testSamples }: EpochEvent): void {
    this.#epochDue = { run: this.#options.run, epoch, step, testLoss, testAccuracy, testSamples };
  }

  #flush(): void {
    const { run, post, memory, network } = this.#options;
    if (this.#recent.length > 0) post('step', this.#stepDocument());
    this.#recent = [];
    // After the steps that led to it.
    if (this.#epochDue) post('epoch', this.#epochDue);
    this.#epochDue = undefined;
    post('memory', { run, ...memory() } satisfies MemoryDocument);
    post('network', { run, ...network() } satisfies NetworkDocument);
  }

  #stepDocument(): StepDocument {
    const recent = this.#recent;
    const { epoch, step, steps, loss, correct, samples } = recent.at(-1)!;
    const mean = (of: (event: StepEvent) => number) =>
      recent.reduce((sum, event) => sum + of(event), 0) / recent.length;
    const seconds = mean(({ stepMs }) => stepMs) / 1000;
    // A single second may be odd; the time left follows the recent past.
    this.#secondsPerStep = this.#secondsPerStep === 0 ? seconds : 0.7 * this.#secondsPerStep + 0.3 * seconds;
    return {
      run: this.#options.run,
      epoch,
      step,
      steps,
      loss,
      accuracy: correct === undefined ? undefined : correct / samples,
      imagesPerSecond: mean((event) => event.samples) / seconds,
      secondsLeft: this.#secondsPerStep * (steps - step),
      stepMs: seconds * 1000,
      computeMs: mean(({ computeMs }) => computeMs),
      waitMs: mean(({ waitMs }) => waitMs),
      losses: recent.map((event) => [event.step, event.loss]),
    };
  }
}
