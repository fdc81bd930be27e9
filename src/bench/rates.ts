/**
 * The rates of this machine's kernels in mode `fast`, measured: a few small convolutions, exactly as training would compute them, each pass
 * by each algorithm, on one thread.
 */

import type { Arena, Engine, Submission } from '../kernels/engine.ts';
import { createEngine } from '../kernels/wasm-engine.ts';
import type { Model } from '../model/layers.ts';
import { convolutionWork } from '../planner/convolution-work.ts';
import { kernelsAt } from '../planner/kernels.ts';
import { makePlan } from '../planner/make-plan.ts';
import type { Algorithm, KernelPlan } from '../planner/plan.ts';
import { compileProgram } from '../program/compile.ts';
import { iterationKey, type Phase } from '../program/program.ts';
import type { Box } from '../tensor/box.ts';
import { PASSES, type ConvolutionCost, type ConvolutionPass, type KernelRates } from '../tensor/rates.ts';
import { fitCosts } from './least-squares.ts';
import { passOf, type StepPass } from './step-profile.ts';

/** Channels in and out, rows and columns. */
interface Shape {
  readonly inputs: number;
  readonly outputs: number;
  readonly extent: number;
}

/** Each is small in another way, so that their times tell the kinds of work apart. The last one's weights fill a second cache, as those of late layers do. */
const SHAPES: readonly Shape[] = [
  { inputs: 96, outputs: 96, extent: 28 },
  { inputs: 16, outputs: 96, extent: 28 },
  { inputs: 96, outputs: 16, extent: 28 },
  { inputs: 256, outputs: 256, extent: 8 },
];

/** Each is repeated so often and so long: by then V8 has optimised the kernels. The shortest time counts. */
const LEAST_ROUNDS = 6;
const MEASURE_MS = 60;

/** One shape by one algorithm, with tiles of one width. */
interface Case {
  readonly shape: Shape;
  readonly algorithm: Algorithm;
  readonly wide: boolean;
}

interface Timing extends Case {
  readonly bestMs: Readonly<Record<ConvolutionPass, number>>;
}

/**
 * Measures this machine, with a thread of its own.
 * @param revectorize whether to try revectorization, as the engine that the rates are for; see {@link EngineOptions}
 * @throws {KernelError} when the kernels were not built
 */
export async function measureRates(revectorize?: boolean): Promise<KernelRates> {
  await using engine = await createEngine(revectorize === undefined ? {} : { revectorize });
  const measure = async (algorithm: Algorithm, wide: boolean) => {
    const timings: Timing[] = [];
    for (const shape of SHAPES) timings.push(await timeCase(engine, { shape, algorithm, wide }));
    return timings;
  };
  const [narrow, broad] = [await measure('direct', false), await measure('direct', true)];
  const wide = totalMs(broad) < totalMs(narrow);
  const direct = wide ? broad : narrow;
  const winograd = await measure('winograd', wide);
  const rates = (pass: ConvolutionPass) => ({ direct: fit(direct, pass), winograd: fit(winograd, pass) });
  return {
    wide,
    forward: rates('forward'),
    inputGradient: rates('inputGradient'),
    weightGradient: rates('weightGradient'),
  };
}

async function timeCase(engine: Engine, given: Case): Promise<Timing> {
  const { arena, submissions } = await open(engine, given);
  const bestMs = { forward: Infinity, inputGradient: Infinity, weightGradient: Infinity };
  const began = performance.now();
  for (let round = 0; round < LEAST_ROUNDS || performance.now() - began < MEASURE_MS; round++) {
    for (const pass of PASSES) bestMs[pass] = Math.min(bestMs[pass], await arena.run(submissions[pass]));
  }
  arena.release();
  return { ...given, bestMs };
}

function totalMs(timings: readonly Timing[]): number {
  return timings.reduce((sum, { bestMs }) => sum + PASSES.reduce((ms, pass) => ms + bestMs[pass], 0), 0);
}

function fit(timings: readonly Timing[], pass: ConvolutionPass): ConvolutionCost {
  const rows = timings.map(({ shape, algorithm }) => {
    const { product, source, target, weights } = convolutionWork(pass, algorithm, siteOf(shape));
    return [product, source, target, weights];
  });
  const times = timings.map(({ bestMs }) => bestMs[pass] * 1e6);
  const [product, source, target, weights] = fitCosts(rows, times);
  return { product: product!, source: source!, target: target!, weights: weights! };
}

/** Name and index of the convolution that is measured; before it stands one that wants the gradient of its input. */
const NAME = 'measured';
const LAYER = 1;

function modelOf({ inputs, outputs, extent }: Shape): Model {
  const rest = { kind: 'conv2d', stride: 1, activation: { kind: 'identity' } } as const;
  return {
    name: 'rates',
    input: [1, extent, extent],
    layers: [
      { ...rest, name: 'before', filters: inputs, kernel: 1, padding: 0 },
      { ...rest, name: NAME, filters: outputs, kernel: 3, padding: 1 },
    ],
    loss: 'meanSquares',
  };
}

function siteOf(shape: Shape) {
  const box = (channels: number): Box => [
    [0, 1],
    [0, channels],
    [0, shape.extent],
    [0, shape.extent],
  ];
  const convolution = modelOf(shape).layers[LAYER]!;
  if (convolution.kind !== 'conv2d') throw new TypeError('no convolution');
  return { convolution, input: box(shape.inputs), output: box(shape.outputs) };
}

interface Opened {
  readonly arena: Arena;
  readonly submissions: Readonly<Record<ConvolutionPass, Submission>>;
}

async function open(engine: Engine, { shape, algorithm, wide }: Case): Promise<Opened> {
  const model = modelOf(shape);
  const passes = { forward: algorithm, inputGradient: algorithm, weightGradient: algorithm };
  const kernels: KernelPlan = { mode: 'fast', wide: [wide], convolutions: { [NAME]: passes } };
  const stages = [{ layers: [0, 2], partition: 'single' }] as const;
  const plan = makePlan(model, ['this'], { batch: 1, request: { stages }, kernels });
  const program = compileProgram(model, plan, 0, {
    framing: { chunkBytes: 1, headerBytes: 0 },
    optimizer: { momentum: 0, weightDecay: 0 },
    normalization: { mean: [], deviation: [] },
    writers: [],
    variants: [{ kind: 'train', samples: 1 }],
  });
  const { forward, backward } = program.iterations.get(iterationKey('train', 1))!;
  const arena = await engine.allocate(program.arenaBytes, kernelsAt(kernels, 0));
  const compile = (name: 'forward' | 'backward', [phase]: readonly Phase[], pass: StepPass) =>
    arena.compile(phase!.calls[0].filter((call, k) => phase!.layers[k] === LAYER && passOf(name, call) === pass));
  const submissions = {
    forward: compile('forward', forward, 'forward'),
    inputGradient: compile('backward', backward, 'input gradient'),
    weightGradient: compile('backward', backward, 'weight gradient'),
  };
  return { arena, submissions };
}
