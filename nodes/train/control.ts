/** TrainControl: what an mqtile-train does: commands in, progress and the finished model out. It holds no state of the run, so a deploy loses none. */

import { RunError, jobOf, type Submission } from 'mqtile';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { JobEvent, JobWatch } from '../cluster/job-watch.ts';
import type { SubmissionChoice } from '../mqtile-job.ts';
import type { FlowMessage, FlowNode } from '../red.ts';
import { report, safely } from '../safely.ts';
import { STOPPED, statusOf } from './status.ts';

const COMMANDS = ['start', 'resume', 'stop'] as const;
type Command = (typeof COMMANDS)[number];

/** Where the two configuration nodes are asked, when needed: either may be missing or broken. */
export interface TrainSources {
  cluster(): Promise<ClusterNode>;
  submission(choice: SubmissionChoice): Promise<Submission>;
}

export class TrainControl {
  readonly #node: FlowNode;
  readonly #sources: TrainSources;
  #watch: JobWatch | undefined;
  #unsubscribe: (() => void) | undefined;
  #closed = false;

  constructor(node: FlowNode, sources: TrainSources) {
    this.#node = node;
    this.#sources = sources;
  }

  /** Shows what the run does that is under way already, after a deploy or started from elsewhere. */
  async attach(): Promise<void> {
    const node = await this.#sources.cluster();
    this.#follow(node, await this.#sources.submission({ resume: false, writers: 'all' }));
  }

  /** Obeys `start`, `resume` or `stop`. @throws {InputError}, {RunError} or {TransportError} with the way out */
  async command(message: FlowMessage): Promise<void> {
    const command = commandOf(message.payload);
    const node = await this.#sources.cluster();
    if (command === 'stop') return this.#stop(node);
    const { writers } = node;
    const submission = await this.#sources.submission({ resume: command === 'resume', writers });
    const watch = this.#follow(node, submission);
    // Starting what runs already is no error: a redeploy fires its Inject again.
    if (watch.active) return;
    const { payload: _, ...origin } = message;
    watch.origin = origin;
    this.#node.status({ fill: 'grey', shape: 'ring', text: waitingFor(node) });
    await node.submit(submission);
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
  }

  /** A node has one run at a time; that of another job is not ours to stop. */
  async #stop(node: ClusterNode): Promise<void> {
    if (this.#watch?.active) await node.stop();
  }

  #follow(node: ClusterNode, submission: Submission): JobWatch {
    const watch = node.watch(jobOf(submission).name);
    if (watch === this.#watch || this.#closed) return watch;
    this.#unsubscribe?.();
    this.#watch = watch;
    this.#node.status(statusOf(watch.view));
    this.#unsubscribe = watch.on((event) =>
      safely(this.#node, watch.origin, () => this.#take(watch, node.name, event)),
    );
    return watch;
  }

  #take(watch: JobWatch, device: string, event: JobEvent): void {
    const { view, origin } = watch;
    this.#node.status(statusOf(view));
    const mqtile = { run: view.run, epoch: view.epoch, step: view.step, device };
    if (event.kind === 'progress') {
      const { run: _, losses: __, ...payload } = event.document;
      this.#node.send([{ ...origin, topic: event.topic, payload, mqtile }, null]);
    } else if (event.kind === 'finished') {
      this.#node.send([null, { ...origin, topic: event.topic, payload: { ...event.model }, mqtile }]);
    } else if (event.kind === 'failed' && event.failure.code !== STOPPED) {
      report(this.#node, { ...origin, mqtile }, new RunError(event.failure.code, event.failure.reason));
    }
  }
}

function commandOf(payload: unknown): Command {
  const command = COMMANDS.find((known) => known === payload);
  if (command) return command;
  throw new RunError('commandUnknown', `msg.payload: got ${JSON.stringify(payload)}, want ${COMMANDS.join(', ')}`);
}

function waitingFor({ peers }: ClusterNode): string {
  return peers.length === 0 ? 'starting' : `waiting for ${peers.join(', ')}`;
}
