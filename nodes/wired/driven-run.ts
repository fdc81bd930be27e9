/** DrivenRun: a run whose calls are made by messages on wires. Visual nodes come and go with deploys; what a step has reached stays here. */

import { RunError, stageWork, type DriveContext, type Result, type Run, type Tensor } from 'mqtile';
import type { FlowMessage } from '../red.ts';
import { gigaflops, type Work } from './figures.ts';
import { nameOf, type Role } from './role.ts';

/** What a call left: a message for the wires, and what the visual node can show of it. */
export interface Outcome {
  readonly message: FlowMessage;
  readonly work: Work;
}

/** Takes what a role has to send. */
export type Send = (role: Role, outcome: Outcome) => void;

/** What a kind of call adds to a message. */
interface Answer {
  readonly payload: object;
  readonly tensor?: Tensor;
  readonly stage?: number;
  readonly multiplyAdds?: number;
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
  }

  /** Settles when the job is at its end or a call failed. */
  get ended(): Promise<Result> {
    return this.#ended.promise;
  }

  /** Its name in messages; undefined before the first batch. */
  get id(): string | undefined {
    return this.#id;
  }

  get open(): boolean {
    return this.#open;
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
    const outcome = this.#outcome(role, message, { answer, computeMs });
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
        return this.#reduce();
      case 'optimizer':
        return this.#update();
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
    return { payload: {}, tensor, stage, multiplyAdds: this.#work(stage).forward };
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
    return { payload: {}, tensor, stage, multiplyAdds: this.#work(stage).backward };
  }

  /** Wired behind every backward it sums one stage at a time, behind the last one all of them. */
  async #reduce(): Promise<Answer | undefined> {
    const stages = [...this.#unreduced];
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

  async #update(): Promise<Answer | undefined> {
    const last = nameOf({ kind: 'backward', stage: 0 });
    // The sums of other stages are still to come.
    if (this.#open && (!this.#called.has(last) || this.#unreduced.size > 0)) return undefined;
    const { loss, correct, samples } = await this.#run.update();
    this.#open = false;
    return { payload: { loss, accuracy: correct / samples, samples } };
  }

  #work(stage: number): { readonly forward: number; readonly backward: number } {
    const { job, plan } = this.about;
    const rank = plan.devices.indexOf(this.#device);
    return stageWork(job.model, plan, { stage, rank, samples: this.#place.samples });
  }

  #outcome(
    role: Role,
    message: FlowMessage,
    { answer, computeMs }: { readonly answer: Answer; readonly computeMs: number },
  ): Outcome {
    const { payload, tensor, stage, multiplyAdds = 0 } = answer;
    const { epoch, step } = this.#place;
    const device = this.#device;
    const phase = role.kind === 'dataset' ? 'batch' : role.kind;
    const timed = {
      ms: round(computeMs),
      ...(multiplyAdds > 0 ? { gflops: round(gigaflops(multiplyAdds, computeMs)) } : {}),
    };
    const { tensor: _, ...others } = message;
    return {
      message: {
        ...others,
        topic: `${device}/${phase}${stage === undefined ? '' : `/${stage + 1}`}`,
        payload: { ...payload, ...timed },
        ...(tensor ? { tensor } : {}),
        mqtile: { run: this.#id, epoch, step, ...(stage === undefined ? {} : { stage: stage + 1 }), phase, device },
      },
      work: { computeMs, multiplyAdds, about: stage === undefined || !tensor ? '' : boxOf(tensor) },
    };
  }
}

/** The tensor that a message carries; whether it is the right one the run finds out. @throws {RunError} `tensorMissing` */
function tensorOf({ tensor }: FlowMessage, role: Role): Tensor {
  if (Object.prototype.toString.call(tensor) === '[object Tensor]') return tensor as Tensor;
  throw new RunError(
    'tensorMissing',
    `${nameOf(role)}: msg.tensor: got ${tensor === undefined ? 'nothing' : typeof tensor}, want the tensor that the MQTile node before it sent`,
  );
}

function boxOf(tensor: Tensor): string {
  return tensor.box.every(([start, end]) => end > start)
    ? tensor.box.map(([start, end]) => `${start}:${end}`).join(' ')
    : 'nothing here';
}

/** To a thousandth: messages are read by people. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
