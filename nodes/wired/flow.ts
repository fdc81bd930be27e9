/** WiredFlow: the visual nodes that are wired to train one job on one device, and the run that they drive. Deploys replace the nodes; the run stays. */

import { InputError, RunError, type DriveContext, type Plan, type Result, type Run } from 'mqtile';
import type { FlowMessage, FlowNode } from '../red.ts';
import { report } from '../safely.ts';
import { STOPPED } from '../train/status.ts';
import { DrivenRun } from './driven-run.ts';
import { Figures } from './figures.ts';
import type { Outcome } from './messages.ts';
import { nameOf, type Role } from './role.ts';
import { checkWiring, type Wired } from './wiring.ts';

/** A flow without visual nodes is forgotten after this long, and a run that it drives ends: a redeploy comes back sooner. */
const LINGER_MS = 30_000;

/** A visual node that takes part. */
export interface Part extends Wired {
  readonly node: FlowNode;
}

interface Member extends Part {
  readonly figures: Figures;
}

export class WiredFlow {
  /** The message that started the run: its other properties go on with every message of it. */
  origin: FlowMessage = {};
  readonly #device: string;
  readonly #onEmpty: () => void;
  readonly #members = new Map<string, Member>();
  #driven: DrivenRun | undefined;
  /** Name of the run before: its messages may still be on wires. */
  #before: string | undefined;
  /** The run whose failure a visual node has reported. */
  #reported: string | undefined;
  #single = false;
  /** Whether the nodes of the last deploy have all joined. */
  #settled = false;
  #linger: NodeJS.Timeout | undefined;
  #settling: NodeJS.Immediate | undefined;
  #returned = Promise.withResolvers<void>();

  /** @param onEmpty called when no visual node has come back for 30 s */
  constructor(device: string, onEmpty: () => void) {
    this.#device = device;
    this.#onEmpty = onEmpty;
  }

  /** Takes a visual node in. @returns what takes it out again @throws {InputError} `flowTwice` */
  join(part: Part): () => void {
    const name = nameOf(part.role);
    if (this.#members.has(name)) {
      throw new InputError(
        'flowTwice',
        `${name} is there twice for this job on ${this.#device}; one flow drives a device, so take the other one out or disable its tab`,
      );
    }
    const member = { ...part, figures: new Figures() };
    this.#members.set(name, member);
    clearTimeout(this.#linger);
    clearImmediate(this.#settling);
    this.#settled = false;
    this.#settling = setImmediate(() => this.#settle());
    return () => this.#leave(name, member);
  }

  /** Whether this node's failures were shown where they happened. */
  reported(run: string | undefined): boolean {
    return run !== undefined && this.#reported === run;
  }

  /** Whether every role of the plan's step is there. @throws {InputError} of `checkWiring` */
  check(plan: Plan, job: string): void {
    checkWiring([...this.#members.values()], plan, job);
  }

  /** Drives a run to its end. @throws {InputError} of `checkWiring`; what a call threw */
  async drive(run: Run, about: DriveContext): Promise<Result> {
    if (!this.#settled) await this.#returned.promise;
    this.check(about.plan, about.job.name);
    const driven = new DrivenRun(run, about, this.#device, (role, outcome) => this.#send(role, outcome));
    this.#driven = driven;
    try {
      if (this.#single) driven.stepOnce();
      this.#single = false;
      driven.call({ kind: 'dataset' }, this.origin).catch(() => {});
      return await driven.ended;
    } finally {
      this.#before = driven.id;
      this.#driven = undefined;
      for (const { node, role, figures } of this.#members.values()) {
        if (role.kind !== 'dataset') node.status(figures.rest);
      }
    }
  }

  /** Makes one step of the run that is under way, or of the next, then pauses it. */
  stepOnce(): void {
    if (this.#driven) this.#driven.stepOnce();
    else this.#single = true;
  }

  /** The call of a role for a message on its wire. @throws {RunError} `noRun`, or what the run throws */
  async call(role: Role, message: FlowMessage): Promise<void> {
    const driven = this.#driven;
    const from = (message['mqtile'] as { run?: unknown } | undefined)?.run;
    if (!driven) {
      // What was on its way when the run ended is late, not wrong.
      if (from !== undefined && from === this.#before) return;
      throw new RunError('noRun', `${nameOf(role)}: no run is under way; send start to the mqtile-dataset`);
    }
    try {
      await driven.call(role, message);
    } catch (error) {
      // Everything under way fails with the run; the first says why.
      if (this.#reported === driven.id || (error as { code?: unknown }).code === STOPPED) return;
      this.#reported = driven.id;
      throw error;
    }
  }

  #send(role: Role, { message, work }: Outcome): void {
    const member = this.#members.get(nameOf(role));
    // Sent again when its node is back.
    if (!member) return;
    const status = role.kind === 'dataset' ? undefined : member.figures.add(work, performance.now());
    if (status) member.node.status(status);
    member.node.send(role.kind === 'dataset' ? [message, null] : [message]);
  }

  #leave(name: string, member: Member): void {
    if (this.#members.get(name) !== member) return;
    this.#members.delete(name);
    if (this.#members.size > 0) return;
    clearImmediate(this.#settling);
    this.#settled = false;
    this.#returned = Promise.withResolvers();
    this.#linger = setTimeout(() => this.#forget(), LINGER_MS).unref();
  }

  /** The nodes of a deploy have joined. */
  #settle(): void {
    this.#settled = true;
    this.#returned.resolve();
    const driven = this.#driven;
    if (!driven) return;
    try {
      this.check(driven.about.plan, driven.about.job.name);
      driven.sendAgain();
    } catch (error) {
      this.#reported = driven.id;
      const first = this.#members.get(nameOf({ kind: 'dataset' })) ?? [...this.#members.values()][0]!;
      report(first.node, {}, error);
      driven.fail(error);
    }
  }

  #forget(): void {
    const why = 'the flow that drove it is gone since 30 s; deploy it again, and go on with resume';
    this.#driven?.fail(new RunError('flowGone', `the run was stopped: ${why}`));
    this.#returned.resolve();
    this.#onEmpty();
  }
}
