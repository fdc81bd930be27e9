import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { Layer, Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { Algorithm, ConvolutionAlgorithms, KernelPlan } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import { iterationKey, type Phase } from '../../src/program/program.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { TEST_FRAMING, TEST_SGD, createLockstep, relativeError } from '../support/lockstep.ts';

const MODEL = zooModel('yolov2-front', [32, 32]);

/** Names of the convolutions for which calls of a kind are emitted. */
function namesOf(phases: readonly Phase[], kind: KernelCall['kind']): readonly string[] {
  return phases.flatMap(({ calls, layers }) =>
    calls[0].flatMap((call, k) => {
      const layer = MODEL.layers[layers[k] ?? -1];
      return call.kind === kind && layer?.kind === 'conv2d' ? [layer.name] : [];
    }),
  );
}

function compile(convolutions: Record<string, ConvolutionAlgorithms>) {
  const kernels: KernelPlan = { mode: 'fast', wide: [false], convolutions };
  const plan = makePlan(MODEL, ['a'], { batch: 1, request: { grid: [1, 1] }, kernels });
  const program = compileProgram(MODEL, plan, 0, {
    framing: TEST_FRAMING,
    optimizer: TEST_SGD,
    normalization: { mean: [], deviation: [] },
    writers: [],
    variants: [{ kind: 'train', samples: 1 }],
  });
  return program.iterations.get(iterationKey('train', 1))!;
}

test('each pass of each convolution is computed by the algorithm that the plan says', (t) => {
  const { forward, backward } = compile({
    conv3: { forward: 'winograd', inputGradient: 'direct', weightGradient: 'direct' },
    conv5: { forward: 'direct', inputGradient: 'winograd', weightGradient: 'direct' },
    conv8: { forward: 'direct', inputGradient: 'direct', weightGradient: 'winograd' },
  });
  t.deepEqual(namesOf(forward, 'convolveWinograd'), ['conv3']);
  t.deepEqual(namesOf(backward, 'convolveWinograd'), ['conv5']);
  t.deepEqual(namesOf(backward, 'convolveWinogradWeights'), ['conv8']);
  for (const phases of [forward, backward])
    t.deepEqual(namesOf(phases, 'transformWeights'), namesOf(phases, 'convolveWinograd'));
  const direct = MODEL.layers.flatMap((layer) => (layer.kind === 'conv2d' ? [layer.name] : []));
  t.deepEqual(
    namesOf(forward, 'convolve'),
    direct.filter((name) => name !== 'conv3'),
  );
  t.deepEqual(
    namesOf(backward, 'convolve').toSorted(),
    direct.filter((name) => !['conv1', 'conv5'].includes(name)).toSorted(),
  );
  t.deepEqual(namesOf(backward, 'convolveWeights').toSorted(), direct.filter((name) => name !== 'conv8').toSorted());
});

test('weights of many kernels are transformed in blocks of rows that cover them once, and compute what direct kernels do', async (t) => {
  const layer = (name: string, filters: number): Layer => {
    const square = { kernel: 3, stride: 1, padding: 1 } as const;
    return { kind: 'conv2d', name, filters, ...square, activation: { kind: 'identity' } };
  };
  const model: Model = {
    name: 'many',
    input: [3, 5, 5],
    layers: [layer('a', 200), layer('b', 410)],
    loss: 'meanSquares',
  };
  const plan = (algorithm: Algorithm) => {
    const passes = { forward: algorithm, inputGradient: algorithm, weightGradient: 'direct' } as const;
    const kernels: KernelPlan = { mode: 'fast', wide: [false], convolutions: { a: passes, b: passes } };
    return makePlan(model, ['node'], { batch: 1, request: { grid: [1, 1] }, kernels });
  };
  const variant = { kind: 'train', samples: 1 } as const;
  await using engine = await createEngine();
  const open = (algorithm: Algorithm) => createLockstep({ model, plan: plan(algorithm), variants: [variant], engine });
  const [winograd, direct] = [await open('winograd'), await open('direct')];
  const { forward, backward } = winograd.programs[0]!.iterations.get(iterationKey('train', 1))!;
  const blocks = (phase: Phase, index: number) =>
    phase.calls[0].filter((call, k) => call.kind === 'transformWeights' && phase.layers[k] === index);
  const rows = (calls: readonly KernelCall[]) =>
    calls.map((call) => (call.kind === 'transformWeights' ? call.rows : 0));
  // 410 x 200 kernels; 200 x 410 backward.
  t.deepEqual(rows(blocks(forward[0]!, 1)), [128, 144, 138]);
  t.deepEqual(rows(blocks(backward[0]!, 1)), [64, 64, 72]);
  await winograd.iterate(variant, 1);
  await direct.iterate(variant, 1);
  t.true(relativeError(winograd.metrics(0), direct.metrics(0)) < 2e-5);
  for (const name of ['a.weight', 'a.bias', 'b.weight', 'b.bias'])
    t.true(relativeError(winograd.momentum(name), direct.momentum(name)) < 1e-4, name);
});
