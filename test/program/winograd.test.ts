import test from 'ava';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { ConvolutionAlgorithms, KernelPlan } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import { iterationKey, type Phase } from '../../src/program/program.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';

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
