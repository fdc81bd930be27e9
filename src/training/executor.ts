/** Executor: one phase after another, each as: wait for messages, run kernels, send messages. */

import type { Collective, Transmission } from '../collective/collective.ts';
import type { Arena, Submission } from '../kernels/engine.ts';
import { channelOf, type Message } from '../program/messages.ts';
import { iterationKey, type IterationProgram, type Phase, type Program } from '../program/program.ts';
import type { Iteration } from './schedule.ts';

interface CompiledPhase {
  readonly receive: readonly number[];
  readonly submissions: readonly [even: Submission | undefined, odd: Submission | undefined];
  readonly send: readonly Transmission[];
  readonly collect: readonly number[];
}

interface CompiledIteration {
  readonly program: IterationProgram;
  readonly phases: ReadonlyMap<Phase, CompiledPhase>;
  /** Messages that arrive in even and in odd iterations. */
  readonly arriving: readonly [even: readonly Transmission[], odd: readonly Transmission[]];
}

/** Milliseconds of an iteration so far. */
export interface Clock {
  computeMs: number;
  waitMs: number;
}

export class Executor {
  readonly clock: Clock = { computeMs: 0, waitMs: 0 };
  readonly #arena: Arena;
  readonly #collective: Collective;
  readonly #signal: AbortSignal;
  readonly #compiled: ReadonlyMap<IterationProgram, CompiledIteration>;
  #current: CompiledIteration | undefined;
  #iteration = -1;

  constructor(program: Program, arena: Arena, collective: Collective, signal: AbortSignal) {
    this.#arena = arena;
    this.#collective = collective;
    this.#signal = signal;
    this.#compiled = new Map(
      [...program.iterations.values()].map((iteration) => [
        iteration,
        compileIteration(iteration, program.rank, arena),
      ]),
    );
  }

  /** Opens the slots of an iteration of a program. */
  expect(iteration: number, program: IterationProgram): void {
    this.#collective.expect(iteration, this.#compiled.get(program)!.arriving[parityOf(iteration)]);
  }

  /** Makes a program the current one, and its iteration; sends of another program are waited for, because regions are laid anew. */
  async begin(iteration: number, program: IterationProgram): Promise<void> {
    if (this.#current?.program !== program) await this.#wait(this.#collective.allSettled());
    this.#current = this.#compiled.get(program)!;
    this.#iteration = iteration;
    this.clock.computeMs = 0;
    this.clock.waitMs = 0;
  }

  /** Runs a phase of the current program. */
  async run(phase: Phase): Promise<void> {
    this.#signal.throwIfAborted();
    const { receive, submissions, send, collect } = this.#current!.phases.get(phase)!;
    await this.#wait(this.#collective.settled(send.map(({ id }) => id)));
    if (receive.length > 0) await this.#wait(this.#collective.arrived(this.#iteration, receive, this.#signal));
    const submission = submissions[parityOf(this.#iteration)];
    if (submission) this.clock.computeMs += await this.#arena.run(submission, this.#signal);
    this.#signal.throwIfAborted();
    this.#collective.post(this.#iteration, send, this.#signal);
    if (collect.length > 0) await this.#wait(this.#collective.arrived(this.#iteration, collect, this.#signal));
  }

  async #wait(event: Promise<void>): Promise<void> {
    const began = performance.now();
    await event;
    this.clock.waitMs += performance.now() - began;
  }
}

export function parityOf(iteration: number): 0 | 1 {
  return iteration % 2 === 0 ? 0 : 1;
}

/** The program of an iteration. */
export function programOf(program: Program, { kind, samples }: Pick<Iteration, 'kind' | 'samples'>): IterationProgram {
  return program.iterations.get(iterationKey(kind, samples))!;
}

function compileIteration(program: IterationProgram, rank: number, arena: Arena): CompiledIteration {
  const { forward, loss, backward, reduce, update, apply, gather } = program;
  const phases = [...forward, loss, ...backward, ...reduce, ...update, apply, gather];
  const compile = (phase: Phase, parity: 0 | 1) =>
    phase.calls[parity].length > 0 ? arena.compile(phase.calls[parity]) : undefined;
  const sent = (message: Message) => transmission(message, program.sends.get(message.id)!);
  const arriving = (parity: 0 | 1) =>
    program.messages
      .filter(({ to }) => to === rank)
      .map((message) => transmission(message, program.slots[parity].get(message.id)!));
  return {
    program,
    phases: new Map(
      phases.map((phase) => [
        phase,
        {
          receive: phase.receive,
          submissions: [compile(phase, 0), compile(phase, 1)],
          send: phase.send.map(sent),
          collect: phase.collect,
        },
      ]),
    ),
    arriving: [arriving(0), arriving(1)],
  };
}

function transmission({ id, from, to, purpose, bytes }: Message, address: number): Transmission {
  return { id, from, to, channel: channelOf(purpose), bytes, address };
}
