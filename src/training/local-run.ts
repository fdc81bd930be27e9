/** LocalRun: this device's part of a job, over the programs, kernels and messages that were prepared for it. */

import { RunError } from '../errors.ts';
import type { IterationProgram, Phase } from '../program/program.ts';
import type { Tensor } from '../tensor/handle.ts';
import type { Result } from './events.ts';
import { Executor, parityOf, programOf, type Clock } from './executor.ts';
import { Feeder } from './feeder.ts';
import { Gate } from './gate.ts';
import { Handles } from './handles.ts';
import { HolderCheck } from './holder-check.ts';
import { rateOf } from './learning-rate.ts';
import { StepOrder } from './order.ts';
import { ParameterStore, notFiniteError } from './parameters.ts';
import type { Batch, Loss, Run, Score, StepReport } from './run.ts';
import type { RunOptions } from './run-options.ts';
import { schedule, type Iteration } from './schedule.ts';
import { scoreOf, type EvaluatedBatch } from './score.ts';
import { StallWatch } from './stall-watch.ts';
import { trainToEnd } from './trainer.ts';

export class LocalRun implements Run {
  readonly #options: Omit<RunOptions, 'initial'>;
  readonly #abort = new AbortController();
  readonly #executor: Executor;
  readonly #feeder: Feeder;
  readonly #parameters: ParameterStore;
  readonly #handles: Handles;
  readonly #holders: HolderCheck;
  readonly #order: StepOrder;
  readonly #stall: StallWatch;
  readonly #gate = new Gate();
  /** The same order of iterations as the feeder's, two ahead. */
  readonly #expectations: Iterator<Iteration, void>;
  #now: Iteration | undefined;
  #stepBeganMs = 0;
  #score: Score | undefined;
  #checkpoint: string | undefined;
  #checksum: string | undefined;
  /** A phase or a file that is under way: whoever closes the run must not take its memory or its folder. */
  #underWay: Promise<unknown> = Promise.resolve();

  constructor({ initial, ...options }: RunOptions) {
    const { plan, program, arena, collective } = options;
    this.#options = options;
    this.#executor = new Executor(program, arena, collective, this.#abort.signal);
    this.#parameters = new ParameterStore(plan, program, arena.bytes);
    // Not kept: the arena has them from here on.
    this.#parameters.fill(initial);
    this.#handles = new Handles({ ...options, memory: arena.bytes });
    this.#holders = new HolderCheck(plan, program.rank, collective, this.#abort.signal, (error) => this.abort(error));
    this.#order = new StepOrder(plan.stages.length);
    this.#stall = new StallWatch(options.stallMs ?? 30_000, (waitedMs) => this.#stalled(waitedMs));
    this.#expectations = schedule(options.schedule);
    this.#expectNext();
    this.#expectNext();
    const samples = plan.stages[0]!.needed[program.rank]![0];
    this.#feeder = new Feeder({ ...options, memory: arena.bytes, samples, iterations: schedule(options.schedule) });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get clock(): Readonly<Clock> {
    return this.#executor.clock;
  }

  pause(): void {
    if (this.#gate.shut()) this.#options.emit({ kind: 'pause', paused: true });
  }

  resume(): void {
    if (this.#gate.open()) this.#options.emit({ kind: 'pause', paused: false });
  }

  async nextBatch(): Promise<Batch | undefined> {
    this.#alive();
    await this.#gate.passage(this.signal);
    for (let next = this.#feeder.peek(); next && next.kind !== 'train'; next = this.#feeder.peek()) {
      if (next.kind === 'evaluate') await this.evaluate();
      else await this.save();
    }
    if (!this.#feeder.peek()) return undefined;
    this.#order.begin();
    this.#stepBeganMs = performance.now();
    const now = await this.#begin();
    this.#stall.rest();
    const { epoch, step, samples } = now;
    this.#parameters.setRate(rateOf(this.#options.learningRate, step, this.#options.schedule.steps));
    return { epoch, step, samples, images: this.#handles.images(now) };
  }

  async forward(stage: number, x: Tensor): Promise<Tensor> {
    this.#check(x, stage - 1);
    this.#order.forward(stage);
    await this.#execute(this.#program.forward[stage]!);
    return this.#handles.make(stage, this.#program.outputs[stage]);
  }

  async loss(y: Tensor): Promise<Loss> {
    this.#check(y, this.#options.plan.stages.length - 1);
    this.#order.loss();
    await this.#execute(this.#program.loss);
    return { gradient: this.#handles.make(y.stage, this.#program.outputGradient) };
  }

  async backward(of: Tensor, dy: Tensor): Promise<Tensor> {
    this.#check(of, of.stage);
    this.#check(dy, of.stage);
    this.#order.backward(of.stage);
    await this.#execute(this.#program.backward[of.stage]!);
    return this.#handles.make(of.stage - 1, this.#program.inputGradients[of.stage]);
  }

  async reduce(stage: number): Promise<void> {
    this.#alive();
    this.#order.reduce(stage);
    await this.#execute(this.#program.reduce[stage]!);
  }

  async update(): Promise<StepReport> {
    this.#alive();
    this.#order.update();
    for (const phase of this.#program.update) await this.#execute(phase);
    await this.#execute(this.#program.apply);
    this.#free((owner, holder) => this.#parameters.checksum(owner, holder));
    return this.#report(this.#now!);
  }

  async evaluate(): Promise<Score> {
    this.#turn('evaluate');
    const batches: EvaluatedBatch[] = [];
    for (let last = false; !last;) {
      const now = await this.#begin();
      const { forward, loss: lossPhase, reduce, update, apply } = this.#program;
      for (const phase of [...forward, lossPhase, ...reduce, ...update, apply]) await this.#execute(phase);
      batches.push({ ...this.#parameters.metrics(), samples: now.samples });
      this.#free();
      last = now.last;
    }
    this.#score = scoreOf(batches);
    const { epoch, step } = this.#now!;
    const { loss: testLoss, accuracy: testAccuracy, samples: testSamples } = this.#score;
    this.#options.emit({ kind: 'epoch', epoch, step, testLoss, testAccuracy, testSamples });
    return this.#score;
  }

  async save(): Promise<string | undefined> {
    this.#turn('checkpoint');
    const { iteration, step, epoch } = await this.#begin();
    await this.#execute(this.#program.gather);
    const { write, schedule: planned } = this.#options;
    if (!write && step < planned.steps) {
      this.#free();
      return undefined;
    }
    const tensors = this.#parameters.collect(this.#program, parityOf(iteration));
    this.#free();
    this.#checksum = this.#parameters.isComplete(tensors) ? this.#options.checksumOf(tensors) : undefined;
    if (!write) return undefined;
    this.#checkpoint = await this.#track(write({ step, epoch, tensors }));
    this.#options.emit({ kind: 'checkpoint', step, path: this.#checkpoint });
    return this.#checkpoint;
  }

  async train(signal?: AbortSignal): Promise<Result> {
    await trainToEnd(this, this.#options.plan.stages.length, signal);
    return this.result();
  }

  result(): Result {
    if (this.#order.open || this.#feeder.peek()) {
      throw new RunError('outOfOrder', `got result(), want ${this.#order.describe()}: the job is not at its end`);
    }
    return {
      steps: this.#options.schedule.steps,
      testAccuracy: this.#score?.accuracy,
      testLoss: this.#score?.loss,
      checkpoint: this.#checkpoint,
      weightsChecksum: this.#checksum,
    };
  }

  abort(reason: unknown): void {
    this.#stall.stop();
    this.#abort.abort(reason);
  }

  async close(): Promise<void> {
    this.abort(new RunError('runClosed', 'the run was closed'));
    await this.#underWay.catch(() => {});
    this.#handles.close();
    this.#options.arena.release();
  }

  /** The program of the current iteration. */
  get #program(): IterationProgram {
    return programOf(this.#options.program, this.#now!);
  }

  /** Takes the next iteration; the caller has seen that there is one. */
  async #begin(): Promise<Iteration> {
    const next = (await this.#feeder.next())!;
    this.#alive();
    this.#now = next;
    this.#handles.begin(next);
    await this.#executor.begin(next.iteration, this.#program);
    return next;
  }

  async #execute(phase: Phase): Promise<void> {
    this.#handles.advance();
    this.#stall.stop();
    await this.#track(this.#executor.run(phase));
    if (this.#order.open) this.#stall.rest();
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay = work;
    return work;
  }

  /** All slots of the current iteration have been read: opens those of the iteration after the next and says so. */
  #free(checksumOf?: Parameters<HolderCheck['free']>[1]): void {
    this.#expectNext();
    this.#holders.free(this.#now!.iteration, checksumOf);
  }

  #expectNext(): void {
    const next = this.#expectations.next();
    if (!next.done) this.#executor.expect(next.value.iteration, programOf(this.#options.program, next.value));
  }

  #report({ epoch, samples, step: before }: Iteration): StepReport {
    const metrics = this.#parameters.metrics();
    const step = before + 1;
    const error = notFiniteError(metrics, step, this.#options.plan.devices);
    if (error) {
      this.abort(error);
      throw error;
    }
    const { loss, correct } = metrics;
    const { steps } = this.#options.schedule;
    const stepMs = performance.now() - this.#stepBeganMs;
    this.#options.emit({ kind: 'step', epoch, step, steps, loss, correct, samples, stepMs, ...this.#executor.clock });
    return { step, loss, correct, samples };
  }

  /** @throws {RunError} `outOfOrder` unless the schedule has this kind of iteration next */
  #turn(kind: Iteration['kind']): void {
    this.#alive();
    const next = this.#feeder.peek()?.kind ?? 'the end';
    if (this.#order.open || next !== kind) {
      const wanted = this.#order.open ? this.#order.describe() : `${next}, as the job's schedule says`;
      throw new RunError('outOfOrder', `got ${kind}, want ${wanted}`);
    }
  }

  #stalled(waitedMs: number): void {
    const seconds = Math.round(waitedMs / 1000);
    const text = `step ${this.#now!.step + 1} stalled: nobody asked for ${this.#order.describe()} for ${seconds} s`;
    this.abort(new RunError('stepStalled', text));
  }

  #check(tensor: Tensor, stage: number): void {
    this.#alive();
    this.#handles.check(tensor, stage);
  }

  #alive(): void {
    this.#abort.signal.throwIfAborted();
  }
}
