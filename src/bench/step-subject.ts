/** What the step benchmark measures: whole training steps of a model on one device, on the engine alone, with no cluster and no data set beside it. */

import { openDataset } from '../dataset/open-dataset.ts';
import type { Arena, Submission } from '../kernels/engine.ts';
import { createEngine } from '../kernels/wasm-engine.ts';
import { initialParameters } from '../model/init.ts';
import type { Model } from '../model/layers.ts';
import { activationShapes } from '../model/shapes.ts';
import { zooModel } from '../model/zoo.ts';
import { kernelsAt } from '../planner/kernels.ts';
import type { Plan } from '../planner/plan.ts';
import { compileProgram } from '../program/compile.ts';
import { iterationKey, type IterationProgram, type Phase, type Program } from '../program/program.ts';
import { CHUNK_BYTES, HEADER_BYTES } from '../protocol/frame.ts';
import type { KernelRates } from '../tensor/rates.ts';
import { ParameterStore, type TensorMap } from '../training/parameters.ts';
import { planStep, type StepSetup } from './step-setup.ts';

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
