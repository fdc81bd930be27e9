/** JobWatch: what a node of the cluster knows of a job, from the documents that it hears. Visual nodes come and go; it stays. */

import type { Member } from 'mqtile';
import type { FlowMessage } from '../red.ts';
import type { Listening } from './listening.ts';

export type Phase = 'idle' | 'preparing' | 'training' | 'done' | 'failed';

/** How the newest run of the job is doing. */
export interface RunView {
  readonly phase: Phase;
  /** Undefined while no run was seen. */
  readonly run: string | undefined;
  readonly epoch: number;
  readonly step: number;
  /** 0 until the first step was reported. */
  readonly steps: number;
  /** Why it failed. */
  readonly failure: RunFailure | undefined;
  readonly finished: FinishedModel | undefined;
}

/** The second output of mqtile-train. */
export interface FinishedModel {
  readonly checkpoint: string | null;
  readonly testAccuracy: number | null;
  readonly weightsChecksum: string | null;
}

export interface RunFailure {
  readonly code: string;
  readonly reason: string;
}

export type JobEvent =
  | { readonly kind: 'changed' }
  | { readonly kind: 'progress'; readonly topic: string; readonly document: Record<string, unknown> }
  | { readonly kind: 'finished'; readonly topic: string; readonly model: FinishedModel }
  | { readonly kind: 'failed'; readonly failure: RunFailure };

type Listener = (event: JobEvent) => void;

const IDLE: RunView = {
  phase: 'idle',
  run: undefined,
  epoch: 0,
  step: 0,
  steps: 0,
  failure: undefined,
  finished: undefined,
};

export class JobWatch {
  /** The message that started the run: its other properties go on with everything that comes of it. */
  origin: FlowMessage = {};
  readonly #node: Listening;
  readonly #listeners = new Set<Listener>();
  readonly #members = new Map<string, Member>();
  readonly #unsubscribe: () => void;
  #view = IDLE;
  /** The node went away during the run that is shown. */
  #lost = false;
  /** The end of a run, when it came between two deploys and nobody listened. */
  #missed: JobEvent[] = [];

  constructor(node: Listening, job: string) {
    this.#node = node;
    // A node hears documents of its own cluster only.
    this.#unsubscribe = node.on(`mqtile/+/job/${job}/#`, (topic, document, old) => {
      if (isRecord(document)) this.#hear(topic, document, old);
    });
  }

  get view(): RunView {
    return this.#view;
  }

  /** Whether a run is under way. */
  get active(): boolean {
    return this.#view.phase === 'preparing' || this.#view.phase === 'training';
  }

  /** @returns unsubscribe */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    for (const event of this.#missed.splice(0)) listener(event);
    return () => this.#listeners.delete(listener);
  }

  /** The node went away: a run that was under way is over, as far as can be known here. */
  lost({ code, message: reason }: { readonly code: string; readonly message: string }): void {
    if (!this.active) return;
    const failure = { code, reason };
    this.#lost = true;
    this.#view = { ...this.#view, phase: 'failed', failure };
    this.#end({ kind: 'failed', failure });
  }

  /** The node is back, and will say what it knows of its last run. */
  found(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#view = IDLE;
  }

  close(): void {
    this.#unsubscribe();
    this.#listeners.clear();
  }

  #hear(topic: string, document: Record<string, unknown>, old: boolean): void {
    const [, , , , family, node, kind] = topic.split('/');
    if (family === 'state') return this.#state(topic, document, old);
    if (family === 'member' && node !== undefined) {
      this.#members.set(node, document as unknown as Member);
      return this.#finishIfDone(topic, old);
    }
    if (family !== 'telemetry' || node !== this.#node.name || document['run'] !== this.#view.run) return;
    if (kind === 'step') {
      const { epoch, step, steps } = document as { epoch: number; step: number; steps: number };
      this.#view = { ...this.#view, epoch, step, steps };
    }
    if (old || (kind !== 'step' && kind !== 'epoch')) return;
    this.#tell({ kind: 'progress', topic, document });
  }

  #state(topic: string, document: Record<string, unknown>, old: boolean): void {
    const { run, state: phase, code, reason } = document;
    if (typeof run !== 'string') return;
    if (phase !== 'preparing' && phase !== 'training' && phase !== 'done' && phase !== 'failed') return;
    const known = run === this.#view.run;
    const ended = phase === 'done' || phase === 'failed';
    // Peers publish their retained documents again at each connect: neither news of this run nor an older run's end.
    if (known ? this.#view.phase === phase || !this.active : ended && !old) return;
    if (!known) this.#view = { ...IDLE, run };
    const failure = phase === 'failed' ? { code: String(code), reason: String(reason) } : undefined;
    this.#view = { ...this.#view, phase, failure };
    if (old) return this.#finishIfDone(topic, old);
    this.#tell({ kind: 'changed' });
    if (failure) this.#end({ kind: 'failed', failure });
    this.#finishIfDone(topic, old);
  }

  /** The state of the run and the result of this node's own part come from two places, in either order. */
  #finishIfDone(topic: string, old: boolean): void {
    const { phase, run, finished } = this.#view;
    const own = this.#members.get(this.#node.name);
    if (phase !== 'done' || finished || own?.run !== run || !own?.result) return;
    const results = [own, ...this.#members.values()].flatMap((member) =>
      member.run === run && member.result ? [member.result] : [],
    );
    const first = <Key extends 'checkpoint' | 'testAccuracy' | 'weightsChecksum'>(key: Key) =>
      results.map((result) => result[key]).find((value) => value !== undefined) ?? null;
    const model: FinishedModel = {
      checkpoint: first('checkpoint'),
      testAccuracy: first('testAccuracy'),
      weightsChecksum: first('weightsChecksum'),
    };
    this.#view = { ...this.#view, finished: model };
    if (!old) this.#end({ kind: 'finished', topic, model });
  }

  #end(event: JobEvent): void {
    if (this.#listeners.size === 0) this.#missed = [event];
    this.#tell(event);
  }

  #tell(event: JobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Documents come from other programs too. */
export function isRecord(document: unknown): document is Record<string, unknown> {
  return typeof document === 'object' && document !== null && !Array.isArray(document);
}
