/** TrainControl: what an mqtile-train does: commands in, progress and the finished model out. It holds no state of the run, so a deploy loses none. */

import { RunError, jobOf, type Submission } from 'mqtile';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { JobEvent, JobWatch } from '../cluster/job-watch.ts';
import { PeerStates } from '../cluster/peer-states.ts';
import type { SubmissionChoice } from '../mqtile-job.ts';
import type { FlowMessage, FlowNode, Status } from '../red.ts';
import { report, safely } from '../safely.ts';
import { STOPPED, statusOf } from './status.ts';

const COMMANDS = ['start', 'resume', 'pause', 'stop'] as const;
type Command = (typeof COMMANDS)[number];

/** Where the two configuration nodes are asked, when needed: either may be missing or broken. */
export interface TrainSources {
  cluster(): Promise<ClusterNode>;
  submission(choice: SubmissionChoice): Promise<Submission>;
}

/** In what nodes that train differ. */
export interface Manner {
  /** What may be in the payload, for people. */
  readonly commands: string;
  /** Who drives the runs that they start. */
  readonly by: 'trainer' | 'wires';
  /** Puts a message on the node's outputs; undefined for what it does not tell. */
  place(event: 'step' | 'epoch' | 'finished', message: FlowMessage): readonly (FlowMessage | null)[] | undefined;
  /** Whether the failure of a run was shown elsewhere. */
  reported(run: string | undefined): boolean;
}

export class TrainControl {
  readonly #node: FlowNode;
  readonly #sources: TrainSources;
  readonly #manner: Manner;
  #watch: JobWatch | undefined;
  #states: PeerStates | undefined;
  #unsubscribe: (() => void) | undefined;
  #starting = false;
  /** The last status that was worked out; an error may have been shown over it. */
  #shown = '';
  #closed = false;

  constructor(node: FlowNode, sources: TrainSources, manner: Manner) {
    this.#node = node;
    this.#sources = sources;
    this.#manner = manner;
  }

  /** Shows what the run does that is under way already, after a deploy or started from elsewhere. */
  async attach(): Promise<void> {
    const node = await this.#sources.cluster();
    this.#follow(node, await this.#sources.submission({ resume: false, writers: 'all' }));
  }

  /** Obeys a command. @throws {InputError}, {RunError} or {TransportError} with the way out */
  async command(message: FlowMessage): Promise<void> {
    const command = commandOf(message.payload, this.#manner.commands);
    // As it is now: waiting for files below, a driver may pause again after one step.
    const paused = this.#states?.paused ?? false;
    const node = await this.#sources.cluster();
    if (node.away !== undefined) throw new RunError('noDaemon', node.away);
    if (command === 'stop' || command === 'pause') return this.#hold(node, command);
    const { writers } = node;
    const submission = await this.#sources.submission({ resume: command === 'resume', writers });
    const watch = this.#follow(node, submission);
    // Starting what runs already is no error: a redeploy fires its Inject again.
    if (watch.active) return paused ? node.resume() : undefined;
    const { payload: _, ...origin } = message;
    watch.origin = origin;
    await this.#submit(node, submission);
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#states?.close();
  }

  /** A node has one run at a time; that of another job is not ours to stop or to pause. */
  async #hold(node: ClusterNode, command: 'stop' | 'pause'): Promise<void> {
    if (this.#watch?.active) await node[command]();
  }

  async #submit(node: ClusterNode, submission: Submission): Promise<void> {
    this.#starting = true;
    this.#refresh();
    try {
      await node.submit(submission, this.#manner.by);
    } catch (error) {
      this.#starting = false;
      // Whoever catches it shows it, until something changes.
      this.#shown = this.#status()?.text ?? '';
      throw error;
    }
    this.#starting = false;
    this.#refresh();
  }

  #follow(node: ClusterNode, submission: Submission): JobWatch {
    const watch = node.watch(jobOf(submission).name);
    if (watch === this.#watch || this.#closed) return watch;
    this.#unsubscribe?.();
    this.#watch = watch;
    this.#states ??= new PeerStates(node, () => safely(this.#node, watch.origin, () => this.#refresh()));
    this.#refresh();
    this.#unsubscribe = watch.on((event) =>
      safely(this.#node, watch.origin, () => this.#take(watch, node.name, event)),
    );
    return watch;
  }

  /** Shows how things are, if they are not as they were. */
  #refresh(): void {
    const status = this.#status();
    if (!status || status.text === this.#shown) return;
    this.#shown = status.text;
    this.#node.status(status);
  }

  #status(): Status | undefined {
    const [watch, states] = [this.#watch, this.#states];
    if (!watch || !states) return undefined;
    const { away, missing, paused, pausedPeers } = states;
    return statusOf(watch.view, { away, missing, paused, pausedPeers, starting: this.#starting });
  }

  #take(watch: JobWatch, device: string, event: JobEvent): void {
    const { view, origin } = watch;
    this.#refresh();
    const mqtile = { run: view.run, epoch: view.epoch, step: view.step, device };
    if (event.kind === 'progress') {
      const { run: _, losses: __, ...payload } = event.document;
      const kind = event.topic.endsWith('/epoch') ? 'epoch' : 'step';
      this.#send(kind, { ...origin, topic: event.topic, payload, mqtile });
    } else if (event.kind === 'finished') {
      this.#send('finished', { ...origin, topic: event.topic, payload: { ...event.model }, mqtile });
    } else if (event.kind === 'failed' && event.failure.code !== STOPPED && !this.#manner.reported(view.run)) {
      report(this.#node, { ...origin, mqtile }, new RunError(event.failure.code, event.failure.reason));
      // That the node is away says more than how its run ended: it is shown over the error.
      if (this.#states?.away !== undefined) this.#shown = '';
    }
  }

  #send(event: 'step' | 'epoch' | 'finished', message: FlowMessage): void {
    const outputs = this.#manner.place(event, message);
    if (outputs) this.#node.send(outputs);
  }
}

function commandOf(payload: unknown, wanted: string): Command {
  const command = COMMANDS.find((known) => known === payload);
  if (command) return command;
  throw new RunError('commandUnknown', `msg.payload: got ${JSON.stringify(payload)}, want ${wanted}`);
}
