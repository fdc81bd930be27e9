/** DrivenRun: a run whose calls are made by messages on wires. Visual nodes come and go with deploys; what a step has reached stays here. */

import { RunError, stageWork, type DriveContext, type Result, type Run, type Tensor } from 'mqtile';
import type { FlowMessage } from '../red.ts';
import { outcomeOf, tensorOf, type Answer, type Outcome } from './messages.ts';
import { partOf } from './part.ts';
import { nameOf, type Role } from './role.ts';

/** Takes what a role has to send. */
export type Send = (role: Role, outcome: Outcome) => void;

/** A stage on this device: multiply-adds of its two passes, and what it owns, for people. */
interface Site {
  readonly forward: number;
  readonly backward: number;
  readonly about: string;
}

export class DrivenRun {
  readonly about: DriveContext;
  readonly #run: Run;
  readonly #device: string;
  readonly #send: Send;
  readonly #ended = Promise.withResolvers<Result>();
  /** Calls one after the other, in the order in which their messages came. */
  #queue: Promise<unknown> = Promise.resolve();
  #id: string | undefined;
  #open = false;
  /** Ends the next step with a pause. */
  #single = false;
  #place = { epoch: 0, step: 0, samples: 0 };
  readonly #activations = new Map<number, Tensor>();
  readonly #sites = new Map<string, Site>();
  /** Stages whose gradients wait to be summed. */
  readonly #unreduced = new Set<number>();
  /** Calls of the open step. */
  readonly #called = new Set<string>();
  /** The newest messages of the chain to the last backward, and of all-reduce and optimizer behind it. */
  #sent: readonly { readonly role: Role; readonly outcome: Outcome }[] = [];
  /** Messages were sent again in this step, so each may come twice. */
  #repeated = false;

  constructor(run: Run, about: DriveContext, device: string, send: Send) {
    this.#run = run;
    this.about = about;
    this.#device = device;
    this.#send = send;
    // A run that is over is nobody's to wait for.
    this.#ended.promise.catch(() => {});
    const { signal } = about;
    signal.addEventListener('abort', () => this.fail(signal.reason), { once: true });
  }

  /** Settles when the job is at its end or a call failed. */
  get ended(): Promise<Result> {
    return this.#ended.promise;
  }

  /** Its name in messages; undefined before the first batch. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Makes one step, then pauses. */
  stepOnce(): void {
    this.#single = true;
    this.#run.resume();
  }

  fail(error: unknown): void {
    this.#ended.reject(error);
  }

  /** Makes the call of a role for a message. @throws what the run throws, which ends it on all nodes */
  async call(role: Role, message: FlowMessage): Promise<void> {
    const work = this.#queue.then(() => this.#perform(role, message));
    this.#queue = work.catch(() => {});
    try {
      await work;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Sends the newest messages again: a deploy may have dropped them with the visual nodes that had them. */
  sendAgain(): void {
    this.#repeated = true;
    for (const { role, outcome } of this.#sent) this.#send(role, outcome);
  }

  async #perform(role: Role, message: FlowMessage): Promise<void> {
    const name = nameOf(role);
    if (role.kind === 'dataset' ? this.#open : this.#repeated && this.#called.has(name)) return;
    const before = this.#run.clock.computeMs;
    const answer = await this.#answer(role, message);
    if (!answer) return;
    this.#called.add(name);
    // The clock begins anew with each batch.
    const computeMs = this.#run.clock.computeMs - (role.kind === 'dataset' ? 0 : before);
    const outcome = outcomeOf({
      role,
      message,
      answer,
      computeMs,
      run: this.#id,
      device: this.#device,
      ...this.#place,
    });
    const behind = role.kind === 'allReduce' || role.kind === 'optimizer';
    const chain = this.#sent.filter((one) => behind && one.role.kind !== role.kind);
    this.#sent = role.kind === 'optimizer' ? [{ role, outcome }] : [...chain, { role, outcome }];
    this.#send(role, outcome);
  }

  /** @returns undefined where there is nothing to send: at the end of the job, or while others have to come first */
  #answer(role: Role, message: FlowMessage): Promise<Answer | undefined> {
    switch (role.kind) {
      case 'dataset':
        return this.#nextBatch();
      case 'forward':
        return this.#forward(role.stage, message);
      case 'loss':
        return this.#loss(message);
      case 'backward':
        return this.#backward(role.stage, message);
      case 'allReduce':
        return this.#reduce(message);
      case 'optimizer':
        return this.#update(message);
    }
  }

  async #nextBatch(): Promise<Answer | undefined> {
    const batch = await this.#run.nextBatch();
    if (!batch) {
      this.#ended.resolve(this.#run.result());
      return undefined;
    }
    const { epoch, step, samples, images } = batch;
    if (this.#single) this.#run.pause();
    this.#single = false;
    this.#open = true;
    this.#repeated = false;
    this.#called.clear();
    this.#activations.clear();
    this.#id = images.run;
    this.#place = { epoch, step: step + 1, samples };
    return { payload: { samples }, tensor: images };
  }

  async #forward(stage: number, message: FlowMessage): Promise<Answer> {
    const tensor = await this.#run.forward(stage, tensorOf(message, { kind: 'forward', stage }));
    this.#activations.set(stage, tensor);
    return { payload: {}, tensor, stage, multiplyAdds: this.#site(stage).forward, about: this.#site(stage).about };
  }

  async #loss(message: FlowMessage): Promise<Answer> {
    const { gradient } = await this.#run.loss(tensorOf(message, { kind: 'loss' }));
    return { payload: { samples: this.#place.samples }, tensor: gradient };
  }

  async #backward(stage: number, message: FlowMessage): Promise<Answer> {
    const gradient = tensorOf(message, { kind: 'backward', stage });
    const activation = this.#activations.get(stage);
    if (!activation) {
      const why = `backward of stage ${stage + 1} came before its forward in step ${this.#place.step}; wire it behind the loss`;
      throw new RunError('outOfOrder', why);
    }
    const tensor = await this.#run.backward(activation, gradient);
    this.#unreduced.add(stage);
    return { payload: {}, tensor, stage, multiplyAdds: this.#site(stage).backward, about: this.#site(stage).about };
  }

  /** Sums the stage of the message and those behind it: wired behind every backward one at a time, behind the last one all of them. */
  async #reduce({ mqtile }: FlowMessage): Promise<Answer | undefined> {
    const { stage: from = 1 } = (mqtile ?? {}) as { stage?: number };
    const stages = [...this.#unreduced].filter((stage) => stage + 1 >= from);
    if (stages.length === 0 && this.#repeated) return undefined;
    if (stages.length === 0) {
      throw new RunError('outOfOrder', 'mqtile-all-reduce: no gradients to sum; wire it behind an mqtile-backward');
    }
    for (const stage of stages) {
      await this.#run.reduce(stage);
      this.#unreduced.delete(stage);
    }
    return { payload: { stages: stages.map((stage) => stage + 1) } };
  }

  /** Sums of single stages come one by one: the update waits for the last, and those that were on their way then are late, not wrong. */
  async #update({ mqtile }: FlowMessage): Promise<Answer | undefined> {
    const { step = this.#place.step } = (mqtile ?? {}) as { step?: number };
    const late = step < this.#place.step || this.#called.has(nameOf({ kind: 'optimizer' }));
    const early = this.#unreduced.size > 0 || !this.#called.has(nameOf({ kind: 'backward', stage: 0 }));
    if (late || early) return undefined;
    const { loss, correct, samples } = await this.#run.update();
    this.#open = false;
    return { payload: { loss, ...(correct === undefined ? {} : { accuracy: correct / samples }), samples } };
  }

  /** The same in every step with as many samples. */
  #site(stage: number): Site {
    const { samples } = this.#place;
    const key = `${stage}:${samples}`;
    const known = this.#sites.get(key);
    if (known) return known;
    const { job, plan } = this.about;
    const rank = plan.devices.indexOf(this.#device);
    const site = { ...stageWork(job.model, plan, { stage, rank, samples }), about: partOf(plan, stage, rank) };
    this.#sites.set(key, site);
    return site;
  }
}
