/** What the step benchmark measures: whole training steps of a model on one device, on the engine alone, with no cluster and no data set beside it. */

import { openDataset } from '../dataset/open-dataset.ts';
import type { Arena, Submission } from '../kernels/engine.ts';
import type { KernelMode } from '../kernels/loader.ts';
import { createEngine } from '../kernels/wasm-engine.ts';
import { initialParameters } from '../model/init.ts';
import type { Model } from '../model/layers.ts';
import { activationShapes } from '../model/shapes.ts';
import { zooModel } from '../model/zoo.ts';
import { chooseKernels, kernelsAt } from '../planner/kernels.ts';
import { makePlan } from '../planner/make-plan.ts';
import type { Plan, PlanRequest } from '../planner/plan.ts';
import { balancedWalks } from '../planner/strips.ts';
import { compileProgram } from '../program/compile.ts';
import { iterationKey, type IterationProgram, type Phase, type Program } from '../program/program.ts';
import { CHUNK_BYTES, HEADER_BYTES } from '../protocol/frame.ts';
import type { Range } from '../tensor/box.ts';
import { TYPICAL_RATES, type KernelRates } from '../tensor/rates.ts';
import { ParameterStore, type TensorMap } from '../training/parameters.ts';

/** What a step is made of; plain JSON, because a process of its own measures it. */
export interface StepSetup {
  /** A name of the zoo. */
  readonly model: string;
  /** Rows and columns of the images, for models that take any. */
  readonly size?: number | undefined;
  readonly batch: number;
  /** Kernel threads. */
  readonly threads: number;
  readonly mode: KernelMode;
  /** First layers of the stages; without it one stage, or a new one after each pooling where they are recomputed or in strips. */
  readonly stages?: readonly number[] | undefined;
  /** Whether backward computes stages again. */
  readonly recompute?: boolean | undefined;
  /** Strips of the stage that holds most. */
  readonly strips?: number | undefined;
}

/** Plain SGD, as beside it: the loss of noise falls slowly and stays finite over any number of steps. */
const RATE = 0.01;

const SEED = 1;

export interface StepSubject extends AsyncDisposable {
  readonly model: Model;
  readonly plan: Plan;
  readonly program: Program;
  readonly arena: Arena;
  /** The phases of a step in order, as the trainer runs them. */
  readonly phases: readonly NamedPhase[];
  /** Runs one step. @returns its loss */
  step(): Promise<number>;
}

export interface NamedPhase {
  readonly name: 'forward' | 'loss' | 'backward' | 'update';
  readonly phase: Phase;
}

/**
 * Compiles the plan of one device, with the kernels that it would choose in a cluster, and fills weights, images and labels.
 * @param rates what this machine's kernels take; mode `fast` chooses by them
 * @throws {InputError} `unknownModel`, `planStages`; {KernelError} `threads`, `outOfMemory`
 */
export async function openStep(setup: StepSetup, rates?: KernelRates): Promise<StepSubject> {
  const { model: name, size, batch, threads } = setup;
  const model = zooModel(name, size === undefined ? undefined : [size, size]);
  const plan = planStep(model, setup, rates);
  const program = compileProgram(model, plan, 0, {
    framing: { chunkBytes: CHUNK_BYTES, headerBytes: HEADER_BYTES },
    optimizer: { momentum: 0, weightDecay: 0 },
    normalization: { mean: [], deviation: [] },
    writers: [],
    variants: [{ kind: 'train', samples: batch }],
  });
  const engine = await createEngine({ threads });
  const arena = await engine.allocate(program.arenaBytes, kernelsAt(plan.kernels, 0));
  const parameters = new ParameterStore(plan, program, arena.bytes);
  parameters.fill(initialTensors(model));
  parameters.setRate(RATE);
  await fillBatch(model, program, arena, batch);
  const phases = phasesOf(program.iterations.get(iterationKey('train', batch))!);
  const submissions = phases.map(({ phase }) => compile(arena, phase));
  let steps = 0;
  return {
    model,
    plan,
    program,
    arena,
    phases,
    step: async () => {
      const parity = steps++ % 2;
      for (const submission of submissions) await arena.run(submission[parity]!);
      return parameters.metrics().loss;
    },
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

function planStep(model: Model, setup: StepSetup, rates = TYPICAL_RATES): Plan {
  const { batch, mode } = setup;
  const plan = makePlan(model, ['device'], { batch, request: requestOf(model, setup) });
  return mode === 'strict' ? plan : { ...plan, kernels: chooseKernels(model, plan.stages, [rates]) };
}

/** Stages of one device. */
function requestOf(model: Model, { stages, recompute, strips, batch }: StepSetup): PlanRequest {
  const isWhole = recompute !== true && (strips ?? 1) === 1;
  if (stages === undefined && !isWhole) return { grid: [1, 1], recompute, strips };
  const starts = stages ?? [0];
  const layers = starts.map((start, k): Range => [start, starts[k + 1] ?? model.layers.length]);
  const walks = balancedWalks(activationShapes(model), layers, { recompute, strips, batch });
  return { stages: layers.map((range, k) => ({ layers: range, partition: 'single', ...walks[k] })) };
}

function initialTensors(model: Model): TensorMap {
  return new Map([...initialParameters(model, SEED)].map(([name, { values }]) => [name, values]));
}

function phasesOf({ forward, loss, backward, reduce, update, apply }: IterationProgram): readonly NamedPhase[] {
  const named = (name: NamedPhase['name'], phases: readonly Phase[]) => phases.map((phase) => ({ name, phase }));
  const all = [
    ...named('forward', forward),
    ...named('loss', [loss]),
    ...named('backward', backward.toReversed()),
    ...named('update', [...reduce, ...update, apply]),
  ];
  return all.filter(({ phase }) => phase.calls[0].length > 0);
}

function compile(arena: Arena, { calls }: Phase): readonly [even: Submission, odd: Submission] {
  return [arena.compile(calls[0]), arena.compile(calls[1])];
}

/** The same noise for even and odd steps. */
async function fillBatch(model: Model, { storage }: Program, arena: Arena, batch: number): Promise<void> {
  const classes = model.loss === 'softmaxCrossEntropy' ? activationShapes(model).at(-1)![0] : 1;
  await using noise = await openDataset({ kind: 'random', count: batch, seed: SEED }, { classes, shape: model.input });
  const indices = Array.from({ length: batch }, (_, i) => i);
  for (const parity of [0, 1] as const) {
    await noise.read(indices, arena.bytes.subarray(storage.images[parity]));
    new Int32Array(arena.bytes.buffer, storage.labels[parity], batch).set(noise.labels);
  }
}
