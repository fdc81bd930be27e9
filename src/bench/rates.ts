/**
 * The rates of this machine's kernels in mode `fast`, measured: a few small convolutions, exactly as training would compute them, each pass
 * by each algorithm, on one thread.
 */

import type { Arena, Engine, Submission } from '../kernels/engine.ts';
import { createEngine } from '../kernels/wasm-engine.ts';
import type { Model } from '../model/layers.ts';
import { convolutionWork } from '../planner/convolution-work.ts';
import { makePlan } from '../planner/make-plan.ts';
import type { Algorithm, KernelPlan } from '../planner/plan.ts';
import { compileProgram } from '../program/compile.ts';
import { iterationKey, type Phase } from '../program/program.ts';
import type { Box } from '../tensor/box.ts';
import type { KernelCall } from '../tensor/call.ts';
import { PASSES, type ConvolutionCost, type ConvolutionPass, type KernelRates } from '../tensor/rates.ts';
import { fitCosts } from './least-squares.ts';
import { passOf } from './step-profile.ts';

/** Channels in and out, rows and columns. Each is small in another way, so that their times tell the kinds of work apart. */
interface Shape {
  readonly inputs: number;
  readonly outputs: number;
  readonly extent: number;
}

const SHAPES: readonly Shape[] = [
  { inputs: 96, outputs: 96, extent: 28 },
  { inputs: 16, outputs: 96, extent: 28 },
  { inputs: 96, outputs: 16, extent: 28 },
  { inputs: 96, outputs: 96, extent: 8 },
];

/** All shapes in turn, until each was run so often and so long: by then V8 has optimised the kernels. The shortest time counts. */
const LEAST_ROUNDS = 6;
const MEASURE_MS = 400;

/** One shape by one algorithm, with tiles of one width. */
interface Subject {
  readonly shape: Shape;
  readonly algorithm: Algorithm;
  readonly wide: boolean;
  readonly arena: Arena;
  readonly submissions: Readonly<Record<ConvolutionPass, Submission>>;
  readonly bestMs: Record<ConvolutionPass, number>;
}

/**
 * Measures this machine, with a thread of its own.
 * @param revectorize whether to try revectorization, as the engine that the rates are for; see {@link EngineOptions}
 * @throws {KernelError} when the kernels were not built
 */
export async function measureRates(revectorize?: boolean): Promise<KernelRates> {
  await using engine = await createEngine(revectorize === undefined ? {} : { revectorize });
  const open = (wide: boolean, algorithm: Algorithm) =>
    Promise.all(SHAPES.map((shape) => openSubject(engine, { shape, algorithm, wide })));
  const both = [await open(false, 'direct'), await open(true, 'direct')] as const;
  await run(both.flat());
  const [narrowMs, wideMs] = both.map((subjects) => totalMs(subjects));
  const wide = wideMs! < narrowMs!;
  const subjects = await open(wide, 'winograd');
  await run(subjects);
  const direct = both[wide ? 1 : 0];
  const rates = (pass: ConvolutionPass) => ({ direct: fit(direct, pass), winograd: fit(subjects, pass) });
  return {
    wide,
    forward: rates('forward'),
    inputGradient: rates('inputGradient'),
    weightGradient: rates('weightGradient'),
  };
}

async function run(subjects: readonly Subject[]): Promise<void> {
  const began = performance.now();
  for (let round = 0; round < LEAST_ROUNDS || performance.now() - began < MEASURE_MS; round++) {
    for (const { arena, submissions, bestMs } of subjects) {
      for (const pass of PASSES) bestMs[pass] = Math.min(bestMs[pass], await arena.run(submissions[pass]));
    }
  }
  for (const { arena } of subjects) arena.release();
}

function totalMs(subjects: readonly Subject[]): number {
  return subjects.reduce((sum, { bestMs }) => sum + PASSES.reduce((ms, pass) => ms + bestMs[pass], 0), 0);
}

function fit(subjects: readonly Subject[], pass: ConvolutionPass): ConvolutionCost {
  const rows = subjects.map(({ shape, algorithm }) => {
    const { product, source, target, weights } = convolutionWork(pass, algorithm, siteOf(shape));
    return [product, source, target, weights];
  });
  const times = subjects.map(({ bestMs }) => bestMs[pass] * 1e6);
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

type Case = Pick<Subject, 'shape' | 'algorithm' | 'wide'>;

async function openSubject(engine: Engine, { shape, algorithm, wide }: Case): Promise<Subject> {
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
  const arena = await engine.allocate(program.arenaBytes, { mode: 'fast', wide });
  const callsOf = (name: 'forward' | 'backward', [phase]: readonly Phase[], pass: string): readonly KernelCall[] =>
    phase!.calls[0].filter((call, k) => phase!.layers[k] === LAYER && passOf(name, call) === pass);
  return {
    shape,
    algorithm,
    wide,
    arena,
    submissions: {
      forward: arena.compile(callsOf('forward', forward, 'forward')),
      inputGradient: arena.compile(callsOf('backward', backward, 'input gradient')),
      weightGradient: arena.compile(callsOf('backward', backward, 'weight gradient')),
    },
    bestMs: { forward: Infinity, inputGradient: Infinity, weightGradient: Infinity },
  };
}
