/** A cluster in one process: real runs, kernels and delivery, over the memory transport. */

import { createHash } from 'node:crypto';
import { Collective } from '../../src/collective/collective.ts';
import type { Dataset } from '../../src/dataset/dataset.ts';
import type { Arena, Engine } from '../../src/kernels/engine.ts';
import { initialParameters } from '../../src/model/init.ts';
import type { Model } from '../../src/model/layers.ts';
import { kernelsAt } from '../../src/planner/kernels.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { KernelPlan, Plan, PlanRequest } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import type { Normalization } from '../../src/program/options.ts';
import type { Program } from '../../src/program/program.ts';
import { CHUNK_BYTES, HEADER_BYTES } from '../../src/protocol/frame.ts';
import type { Result, TrainingEvent } from '../../src/training/events.ts';
import { LocalRun } from '../../src/training/local-run.ts';
import type { Snapshot } from '../../src/training/run-options.ts';
import type { TensorMap } from '../../src/training/parameters.ts';
import { variantsOf, type ScheduleOptions } from '../../src/training/schedule.ts';
import type { Faults } from '../../src/transport/faults.ts';
import { createMemoryNetwork, type MemoryNode } from '../../src/transport/memory.ts';
import type { SessionTiming } from '../../src/transport/session.ts';
import type { Session, SessionStatistics } from '../../src/transport/transport.ts';

export interface ClusterOptions {
  readonly model: Model;
  readonly request: PlanRequest;
  /** Mode `strict` unless said. */
  readonly kernels?: KernelPlan;
  readonly devices: number;
  readonly train: Dataset;
  readonly test?: Dataset;
  readonly batch: number;
  readonly steps: number;
  readonly startStep?: number;
  readonly checkpointEverySteps?: number;
  readonly shuffle?: boolean;
  readonly seed?: number;
  readonly initial?: TensorMap;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly rate?: number;
  readonly decay?: 'none' | 'linear';
  readonly normalization?: Normalization;
  readonly faults?: Faults;
  /** Times of the delivery, e.g. short ones where frames get lost. */
  readonly timing?: Partial<SessionTiming>;
  /** Ranks that could write checkpoints, and so have every tensor; rank 0 alone unless said. */
  readonly writers?: readonly number[];
  readonly stallMs?: number;
  /** Writes rank 0's checkpoints instead of keeping them. */
  readonly write?: (snapshot: Snapshot) => Promise<string>;
  /** Name of the run in handles. */
  readonly run?: string;
  /** Called when messages have arrived and before kernels read them: a place to damage memory. */
  readonly tamper?: (arrival: Arrival) => void;
  /** One engine for all devices, or one each. */
  readonly engine: (rank: number) => Engine;
}

/** Messages that lie in their slots. */
export interface Arrival {
  readonly rank: number;
  readonly iteration: number;
  readonly messages: readonly number[];
  readonly program: Program;
  readonly memory: Uint8Array;
}

/** One device of the cluster. */
export interface Member {
  readonly run: LocalRun;
  readonly program: Program;
  readonly arena: Arena;
  readonly events: readonly TrainingEvent[];
  /** What the delivery has seen so far. */
  readonly statistics: SessionStatistics;
}

export interface Cluster extends AsyncDisposable {
  readonly plan: Plan;
  /** By rank. */
  readonly members: readonly Member[];
  /** By step, as rank 0 would write them. */
  readonly snapshots: ReadonlyMap<number, Snapshot>;
}

export interface ClusterOutcome {
  readonly results: readonly Result[];
  /** By rank. */
  readonly checksums: readonly (string | undefined)[];
  /** By step, as rank 0 would write them. */
  readonly snapshots: ReadonlyMap<number, Snapshot>;
  /** By rank. */
  readonly events: readonly (readonly TrainingEvent[])[];
  /** By rank. */
  readonly statistics: readonly SessionStatistics[];
}

/** SHA-256 over names and values, in order of names. */
export function checksumOf(tensors: TensorMap): string {
  const hash = createHash('sha256');
  for (const [name, values] of [...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1))) hash.update(name).update(values);
  return hash.digest('hex');
}

/** Runs the job to its end on every device at once. @throws what stopped the first of them */
export async function trainInMemory(options: ClusterOptions): Promise<ClusterOutcome> {
  await using cluster = await openCluster(options);
  const { members, snapshots } = cluster;
  const stopAll = (error: unknown): never => {
    for (const { run } of members) run.abort(error);
    throw error;
  };
  const results = await Promise.all(members.map(({ run }) => run.train().catch(stopAll)));
  return {
    results,
    checksums: results.map(({ weightsChecksum }) => weightsChecksum),
    snapshots,
    events: members.map(({ events }) => events),
    statistics: members.map(({ statistics }) => statistics),
  };
}

/** Prepares a run on every device; nobody drives them yet. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const names = Array.from({ length: options.devices }, (_, rank) => `node${rank + 1}`);
  const { model, batch, request, kernels, faults, timing } = options;
  const plan = makePlan(model, names, { batch, request, ...(kernels ? { kernels } : {}) });
  const network = createMemoryNetwork(names, { ...(faults ? { faults } : {}), ...(timing ? { timing } : {}) });
  const snapshots = new Map<number, Snapshot>();
  const members: Member[] = [];
  const close = async () => {
    await Promise.all(members.map(({ run }) => run.close()));
    for (const node of network.values()) node.close();
  };
  try {
    for (const [rank, name] of names.entries()) {
      members.push(await openMember(options, { plan, rank, node: network.get(name)!, snapshots }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { plan, members, snapshots, [Symbol.asyncDispose]: close };
}

interface Place {
  readonly plan: Plan;
  readonly rank: number;
  readonly node: MemoryNode;
  readonly snapshots: Map<number, Snapshot>;
}

async function openMember(options: ClusterOptions, { plan, rank, node, snapshots }: Place): Promise<Member> {
  const { run: name = '0123456789abcdef', normalization = { mean: [], deviation: [] } } = options;
  const schedule = scheduleOf(options);
  const program = compileProgram(options.model, plan, rank, {
    framing: { chunkBytes: CHUNK_BYTES, headerBytes: HEADER_BYTES },
    optimizer: { momentum: options.momentum ?? 0.9, weightDecay: options.weightDecay ?? 0 },
    normalization,
    writers: options.writers ?? [0],
    variants: variantsOf(schedule),
  });
  const arena = await options.engine(rank).allocate(program.arenaBytes, kernelsAt(plan.kernels, rank));
  const session = node.transport.open({
    job: 'test',
    run: '0123456789abcdef',
    planHash: 'fedcba9876543210',
    peers: plan.devices.filter((_, other) => other !== rank),
    memory: arena.bytes,
  });
  const tamper = (iteration: number, messages: readonly number[]) =>
    options.tamper?.({ rank, iteration, messages, program, memory: arena.bytes });
  const events: TrainingEvent[] = [];
  const run: LocalRun = new LocalRun({
    run: name,
    plan,
    program,
    arena,
    collective: new Collective(tampered(session, tamper), plan.devices, (reason) => run.abort(reason)),
    train: options.train,
    test: options.test,
    schedule,
    normalization,
    learningRate: { rate: options.rate ?? 0.05, decay: options.decay ?? 'none' },
    initial: options.initial ?? initialTensors(options.model),
    write: rank === 0 ? (options.write ?? keep) : undefined,
    checksumOf: (tensors) => checksumOf(new Map([...tensors].filter(([tensor]) => !tensor.startsWith('momentum.')))),
    emit: (event) => events.push(event),
    ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
  });
  return { run, program, arena, events, statistics: session.statistics };

  function keep(snapshot: Snapshot): Promise<string> {
    snapshots.set(snapshot.step, snapshot);
    return Promise.resolve(`step ${snapshot.step}`);
  }
}

/** Weights of seed 1 by name. */
export function initialTensors(model: Model): TensorMap {
  return new Map([...initialParameters(model, 1)].map(([name, { values }]) => [name, values]));
}

function scheduleOf(options: ClusterOptions): ScheduleOptions {
  const { batch, steps, train, test, startStep = 0, checkpointEverySteps = 1, seed = 1, shuffle = true } = options;
  const samples = { trainSamples: train.count, testSamples: test?.count ?? 0 };
  return { ...samples, batch, steps, startStep, checkpointEverySteps, seed, shuffle };
}

/** The session, telling of messages before whoever waits for them goes on. */
function tampered(session: Session, tamper: (iteration: number, messages: readonly number[]) => void): Session {
  return {
    statistics: session.statistics,
    expect: (iteration, slots) => session.expect(iteration, slots),
    send: (iteration, outgoing, signal) => session.send(iteration, outgoing, signal),
    arrived: async (iteration, messages, signal) => {
      await session.arrived(iteration, messages, signal);
      tamper(iteration, messages);
    },
    free: (iteration, checksums) => session.free(iteration, checksums),
    freed: (iteration, peer, signal) => session.freed(iteration, peer, signal),
    close: () => session.close(),
  };
}
