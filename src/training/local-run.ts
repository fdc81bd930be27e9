/** LocalRun: this device's part of a job, over the programs, kernels and messages that were prepared for it. */

import type { Collective } from '../collective/collective.ts';
import { RunError } from '../errors.ts';
import type { Arena } from '../kernels/engine.ts';
import type { Plan } from '../planner/plan.ts';
import type { Program, Readable } from '../program/program.ts';
import { EMPTY_BOX } from '../tensor/box.ts';
import { Tensor, tensorExpired } from '../tensor/handle.ts';
import type { Dataset } from '../dataset/dataset.ts';
import type { Result, TrainingEvent } from './events.ts';
import { Executor, parityOf, programOf } from './executor.ts';
import { Feeder } from './feeder.ts';
import { HolderCheck } from './holder-check.ts';
import { StepOrder } from './order.ts';
import { ParameterStore, type TensorMap } from './parameters.ts';
import { readPixels, readView, type PixelNormalization } from './read.ts';
import type { Batch, Loss, Run, Score } from './run.ts';
import { schedule, type Iteration, type ScheduleOptions } from './schedule.ts';
import { StallWatch } from './stall-watch.ts';
import { trainToEnd } from './trainer.ts';

/** What a checkpoint holds: the state after `step` training steps. */
export interface Snapshot {
  readonly step: number;
  readonly epoch: number;
  readonly tensors: TensorMap;
}

export interface RunOptions {
  readonly run: string;
  readonly plan: Plan;
  readonly program: Program;
  readonly arena: Arena;
  readonly collective: Collective;
  readonly train: Dataset;
  readonly test: Dataset | undefined;
  readonly schedule: ScheduleOptions;
  readonly normalization: PixelNormalization;
  /** Weights, and momentum where it goes on, by tensor name. */
  readonly initial: TensorMap;
  /** Writes a checkpoint on nodes that do; @returns its path */
  readonly write: ((snapshot: Snapshot) => Promise<string>) | undefined;
  readonly checksumOf: (weights: TensorMap) => string;
  readonly emit: (event: TrainingEvent) => void;
  /** Milliseconds after which a step that nobody advances fails. */
  readonly stallMs?: number;
}

export class LocalRun implements Run {
  readonly #options: RunOptions;
  readonly #abort = new AbortController();
  readonly #executor: Executor;
  readonly #feeder: Feeder;
  readonly #parameters: ParameterStore;
  readonly #expectations: Iterator<Iteration, void>;
  readonly #order: StepOrder;
  readonly #holders: HolderCheck;
  readonly #stall: StallWatch;
  #now: Iteration | undefined;
  /** Counts what was executed; a handle is good for the count at which it was made. */
  #phase = 0;
  #stepBegan = 0;
  #score: Score | undefined;
  #checkpoint: string | undefined;
  #checksum = '';
  #closed = false;

  constructor(options: RunOptions) {
    const { plan, program, arena, collective, train, test } = options;
    this.#options = options;
    this.#executor = new Executor(program, arena, collective, this.#abort.signal);
    this.#parameters = new ParameterStore(plan, program, arena.bytes);
    this.#parameters.fill(options.initial);
    this.#holders = new HolderCheck(plan, program.rank, collective, this.#abort.signal, (error) => this.abort(error));
    this.#order = new StepOrder(plan.stages.length);
    this.#stall = new StallWatch(options.stallMs ?? 30_000, (waitedMs) => this.#stalled(waitedMs));
    this.#expectations = schedule(options.schedule);
    this.#expectNext();
    this.#expectNext();
    const samples = plan.stages[0]!.needed[program.rank]![0];
    const iterations = schedule(options.schedule);
    this.#feeder = new Feeder({ train, test, program, memory: arena.bytes, samples, iterations });
  }

  async nextBatch(): Promise<Batch | undefined> {
    this.#alive();
    for (let next = this.#feeder.peek(); next && next.kind !== 'train'; next = this.#feeder.peek()) {
      if (next.kind === 'evaluate') await this.evaluate();
      else await this.save();
    }
    if (!this.#feeder.peek()) return undefined;
    this.#order.begin();
    this.#stepBegan = performance.now();
    const iteration = (await this.#begin())!;
    this.#stall.rest();
    const { epoch, step, samples } = iteration;
    return { epoch, step, samples, images: this.#images(iteration) };
  }

  async forward(stage: number, x: Tensor): Promise<Tensor> {
    this.#mine(x, stage - 1);
    this.#order.forward(stage);
    const program = programOf(this.#options.program, this.#now!);
    await this.#execute(program.forward[stage]!);
    return this.#handle(stage, program.outputs[stage]);
  }

  async loss(y: Tensor): Promise<Loss> {
    this.#mine(y, this.#options.plan.stages.length - 1);
    this.#order.loss();
    const program = programOf(this.#options.program, this.#now!);
    await this.#execute(program.loss);
    return { gradient: this.#handle(y.stage, program.outputGradient) };
  }

  async backward(of: Tensor, dy: Tensor): Promise<Tensor> {
    this.#mine(of, of.stage);
    this.#mine(dy, of.stage);
    this.#order.backward(of.stage);
    const program = programOf(this.#options.program, this.#now!);
    await this.#execute(program.backward[of.stage]!);
    return this.#handle(of.stage - 1, program.inputGradients[of.stage]);
  }

  async reduce(stage: number): Promise<void> {
    this.#order.reduce(stage);
    await this.#execute(programOf(this.#options.program, this.#now!).reduce[stage]!);
  }

  async update(): Promise<void> {
    this.#order.update();
    const program = programOf(this.#options.program, this.#now!);
    for (const phase of program.update) await this.#execute(phase);
    await this.#execute(program.apply);
    this.#stall.stop();
    const now = this.#now!;
    this.#expectNext();
    this.#holders.free(now.iteration, (owner, holder) => this.#parameters.checksum(owner, holder));
    const { loss, correct } = this.#finite(now);
    const { computeMs, waitMs } = this.#executor.clock;
    const stepMs = performance.now() - this.#stepBegan;
    const { epoch, samples } = now;
    const { steps } = this.#options.schedule;
    this.#options.emit({
      kind: 'step',
      epoch,
      step: now.step + 1,
      steps,
      loss,
      correct,
      samples,
      stepMs,
      computeMs,
      waitMs,
    });
  }

  async evaluate(): Promise<Score> {
    this.#turn('evaluate');
    let [loss, correct, samples] = [0, 0, 0];
    for (let last = false; !last;) {
      const now = (await this.#begin())!;
      const program = programOf(this.#options.program, now);
      for (const phase of program.forward) await this.#execute(phase);
      await this.#execute(program.loss);
      for (const phase of [...program.reduce, ...program.update, program.apply]) await this.#execute(phase);
      const part = this.#parameters.metrics();
      loss += part.loss * now.samples;
      correct += part.correct;
      samples += now.samples;
      this.#expectNext();
      this.#holders.free(now.iteration);
      last = now.last;
    }
    this.#score = { loss: loss / samples, accuracy: correct / samples, samples };
    const { epoch, step } = this.#now!;
    const { loss: testLoss, accuracy: testAccuracy } = this.#score;
    this.#options.emit({ kind: 'epoch', epoch, step, testLoss, testAccuracy, testSamples: samples });
    return this.#score;
  }

  async save(): Promise<string | undefined> {
    this.#turn('checkpoint');
    const now = (await this.#begin())!;
    const program = programOf(this.#options.program, now);
    await this.#execute(program.gather);
    const tensors = this.#parameters.collect(program, parityOf(now.iteration));
    this.#expectNext();
    this.#holders.free(now.iteration);
    this.#checksum = this.#options.checksumOf(tensors);
    const { write } = this.#options;
    if (!write) return undefined;
    this.#checkpoint = await write({ step: now.step, epoch: now.epoch, tensors });
    this.#options.emit({ kind: 'checkpoint', step: now.step, path: this.#checkpoint });
    return this.#checkpoint;
  }

  async train(signal?: AbortSignal): Promise<Result> {
    await trainToEnd(this, this.#options.plan.stages.length, signal);
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
    if (this.#closed) return;
    this.#closed = true;
    this.abort(new RunError('runClosed', 'the run was closed'));
    this.#options.arena.release();
  }

  async #begin(): Promise<Iteration | undefined> {
    this.#alive();
    const next = await this.#feeder.next();
    this.#alive();
    this.#now = next;
    this.#phase++;
    if (next) await this.#executor.begin(next.iteration, programOf(this.#options.program, next));
    return next;
  }

  async #execute(phase: Parameters<Executor['run']>[0]): Promise<void> {
    this.#alive();
    this.#phase++;
    this.#stall.stop();
    await this.#executor.run(phase);
    if (this.#order.open) this.#stall.rest();
  }

  /** Opens the slots of the iteration after the next one: its messages may come as soon as this one is freed. */
  #expectNext(): void {
    const next = this.#expectations.next();
    if (!next.done) this.#executor.expect(next.value.iteration, programOf(this.#options.program, next.value));
  }

  #turn(kind: Iteration['kind']): void {
    this.#alive();
    const next = this.#feeder.peek()?.kind ?? 'nothing';
    if (this.#order.open || next !== kind) {
      const wanted = this.#order.open ? this.#order.describe() : `${next}, as the job's schedule says`;
      throw new RunError('outOfOrder', `got ${kind}, want ${wanted}`);
    }
  }

  #finite(now: Iteration): { loss: number; correct: number } {
    const { loss, correct, notFinite } = this.#parameters.metrics();
    if (notFinite.length > 0 || !Number.isFinite(loss)) {
      const names = notFinite.map((rank) => this.#options.plan.devices[rank]).join(', ');
      const where = names === '' ? 'in the sum over all nodes' : `on ${names}`;
      const error = new RunError(
        'lossNotFinite',
        `loss is ${loss} at step ${now.step + 1} ${where}; lower optimizer.rate, or look at the data of that step`,
      );
      this.abort(error);
      throw error;
    }
    return { loss, correct };
  }

  #stalled(waitedMs: number): void {
    const text = `nobody called ${this.#order.describe()} for ${Math.round(waitedMs / 1000)} s in step ${this.#now!.step + 1}`;
    this.abort(new RunError('stepStalled', text));
  }

  #alive(): void {
    this.#abort.signal.throwIfAborted();
  }

  #mine(tensor: Tensor, stage: number): void {
    this.#alive();
    const { run, iteration } = tensor;
    if (run !== this.#options.run)
      throw new RunError('foreignTensor', `got a tensor of run ${run}, want one of run ${this.#options.run}`);
    if (iteration !== this.#now?.iteration) throw tensorExpired(iteration);
    if (tensor.stage !== stage) {
      throw new RunError('foreignTensor', `got a tensor of stage ${tensor.stage}, want one of stage ${stage}`);
    }
  }

  #handle(stage: number, readable: Readable | undefined): Tensor {
    const phase = this.#phase;
    const { iteration } = this.#now!;
    const origin = { run: this.#options.run, iteration, stage, box: readable?.box ?? EMPTY_BOX };
    return new Tensor(origin, () => {
      if (phase !== this.#phase || this.#closed) throw tensorExpired(iteration);
      return readable ? readView(this.#options.arena.bytes, readable.view) : new Float32Array();
    });
  }

  #images({ iteration, samples }: Iteration): Tensor {
    const { plan, program, run, normalization, arena } = this.#options;
    const needed = plan.stages[0]!.needed[program.rank]!;
    const first = needed[0][0];
    const end = Math.max(first, Math.min(needed[0][1], samples));
    const shape = plan.input[0]!;
    const box = [[first, end], shape[1], shape[2], shape[3]] as const;
    return new Tensor({ run, iteration, stage: -1, box }, () => {
      if (this.#now?.iteration !== iteration || this.#closed) throw tensorExpired(iteration);
      return readPixels(arena.bytes, program.storage.images[parityOf(iteration)], box, normalization);
    });
  }
}
