/** A cluster in one process: real runs, kernels and delivery, over the memory transport. */

import { createHash } from 'node:crypto';
import { Collective } from '../../src/collective/collective.ts';
import type { Dataset } from '../../src/dataset/dataset.ts';
import type { Engine } from '../../src/kernels/engine.ts';
import { initialParameters } from '../../src/model/init.ts';
import type { Model } from '../../src/model/layers.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { PlanRequest } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import { CHUNK_BYTES, HEADER_BYTES } from '../../src/protocol/frame.ts';
import { uniform } from '../../src/tensor/random.ts';
import type { TrainingEvent } from '../../src/training/events.ts';
import { LocalRun, type Snapshot } from '../../src/training/local-run.ts';
import type { TensorMap } from '../../src/training/parameters.ts';
import { variantsOf, type ScheduleOptions } from '../../src/training/schedule.ts';
import type { Faults } from '../../src/transport/faults.ts';
import { createMemoryNetwork } from '../../src/transport/memory.ts';

export interface ClusterOptions {
  readonly model: Model;
  readonly request: PlanRequest;
  readonly devices: number;
  readonly train: Dataset;
  readonly test?: Dataset;
  readonly batch: number;
  readonly steps: number;
  readonly startStep?: number;
  readonly checkpointEverySteps?: number;
  readonly initial?: TensorMap;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly rate?: number;
  readonly faults?: Faults;
  /** One engine for all devices, or one each. */
  readonly engine: (rank: number) => Engine;
}

export interface ClusterOutcome {
  /** By rank. */
  readonly checksums: readonly string[];
  /** By step, as rank 0 would write them. */
  readonly snapshots: ReadonlyMap<number, Snapshot>;
  /** By rank. */
  readonly events: readonly (readonly TrainingEvent[])[];
}

/** SHA-256 over names and values, in order of names. */
export function checksumOf(tensors: TensorMap): string {
  const hash = createHash('sha256');
  for (const [name, values] of [...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1))) hash.update(name).update(values);
  return hash.digest('hex');
}

/** Runs the job to its end on every device at once. @throws what stopped the first of them */
export async function trainInMemory(options: ClusterOptions): Promise<ClusterOutcome> {
  const names = Array.from({ length: options.devices }, (_, rank) => `node${rank + 1}`);
  const network = createMemoryNetwork(names, options.faults ? { faults: options.faults } : {});
  const snapshots = new Map<number, Snapshot>();
  const events = names.map((): TrainingEvent[] => []);
  const runs: LocalRun[] = [];
  try {
    for (const [rank, name] of names.entries()) {
      runs.push(
        await openRun(options, {
          names,
          rank,
          transport: network.get(name)!.transport,
          snapshots,
          events: events[rank]!,
        }),
      );
    }
    const results = await Promise.all(runs.map((run) => run.train().catch((error: unknown) => stopAll(runs, error))));
    return { checksums: results.map(({ weightsChecksum }) => weightsChecksum), snapshots, events };
  } finally {
    await Promise.all(runs.map((run) => run.close()));
    for (const node of network.values()) node.close();
  }
}

function stopAll(runs: readonly LocalRun[], error: unknown): never {
  for (const run of runs) run.abort(error);
  throw error;
}

interface Member {
  readonly names: readonly string[];
  readonly rank: number;
  readonly transport: import('../../src/transport/transport.ts').Transport;
  readonly snapshots: Map<number, Snapshot>;
  readonly events: TrainingEvent[];
}

async function openRun(
  options: ClusterOptions,
  { names, rank, transport, snapshots, events }: Member,
): Promise<LocalRun> {
  const { model, batch, steps, train, test, startStep = 0 } = options;
  const plan = makePlan(model, names, { batch, request: options.request });
  const schedule: ScheduleOptions = {
    trainSamples: train.count,
    testSamples: test?.count ?? 0,
    batch,
    steps,
    startStep,
    checkpointEverySteps: options.checkpointEverySteps ?? 1,
    seed: 1,
    shuffle: true,
  };
  const program = compileProgram(model, plan, rank, {
    framing: { chunkBytes: CHUNK_BYTES, headerBytes: HEADER_BYTES },
    optimizer: { rate: options.rate ?? 0.05, momentum: options.momentum ?? 0.9, weightDecay: options.weightDecay ?? 0 },
    normalization: { mean: [], deviation: [] },
    writers: [0],
    variants: variantsOf(schedule),
  });
  const arena = await options.engine(rank).allocate(program.arenaBytes);
  const session = transport.open({
    job: 'test',
    run: '0123456789abcdef',
    planHash: 'fedcba9876543210',
    peers: names.filter((_, other) => other !== rank),
    memory: arena.bytes,
  });
  const run = new LocalRun({
    run: '0123456789abcdef',
    plan,
    program,
    arena,
    collective: new Collective(session, names, (reason) => run.abort(reason)),
    train,
    test,
    schedule,
    normalization: { mean: [], deviation: [] },
    initial: options.initial ?? new Map([...initialParameters(model, 1)].map(([name, { values }]) => [name, values])),
    write: rank === 0 ? keep : undefined,
    checksumOf: (tensors) => checksumOf(new Map([...tensors].filter(([name]) => !name.startsWith('momentum.')))),
    emit: (event) => events.push(event),
  });
  return run;

  function keep(snapshot: Snapshot): Promise<string> {
    snapshots.set(snapshot.step, snapshot);
    return Promise.resolve(`step ${snapshot.step}`);
  }
}

/** Noise images with labels that follow from them, so that there is something to learn. */
export function randomDataset(shape: readonly [number, number, number], classes: number, count: number): Dataset {
  const bytes = shape[0] * shape[1] * shape[2];
  const noise = new Float32Array(count * bytes);
  uniform(noise, 1, 7);
  const pixels = Uint8Array.from(noise, (value) => Math.floor((value + 1) * 127.5));
  const labels = Uint8Array.from({ length: count }, (_, i) => pixels[i * bytes]! % classes);
  return {
    count,
    shape,
    labels,
    read: (indices, target) => {
      Array.from(indices).forEach((index, k) =>
        target.set(pixels.subarray(index * bytes, (index + 1) * bytes), k * bytes),
      );
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
