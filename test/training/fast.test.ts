import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { Conv2d, Model } from '../../src/model/layers.ts';
import type { ConvolutionAlgorithms, KernelPlan } from '../../src/planner/plan.ts';
import { distance, formatDistance, losses, sameBits } from '../support/agreement.ts';
import { trainInMemory, type ClusterOptions, type ClusterOutcome } from '../support/memory-cluster.ts';
import { randomDataset } from '../support/memory-data.ts';

/** With V8's revectorization where there is one, and without. */
const [engine, plain] = [await createEngine(), await createEngine({ revectorize: false })];

const conv = (name: string, filters: number): Conv2d => ({
  kind: 'conv2d',
  name,
  filters,
  kernel: 3,
  stride: 1,
  padding: 1,
  activation: { kind: 'relu' },
});

const MODEL: Model = {
  name: 'three by three',
  input: [1, 28, 28],
  layers: [
    conv('conv1', 12),
    conv('conv2', 16),
    { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 },
    conv('conv3', 20),
    { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 },
    { kind: 'flatten' },
    { kind: 'dense', name: 'fc', units: 10, activation: { kind: 'identity' } },
  ],
  loss: 'softmaxCrossEntropy',
};

const ALL: ConvolutionAlgorithms = { forward: 'winograd', inputGradient: 'winograd', weightGradient: 'winograd' };
const SOME: ConvolutionAlgorithms = { forward: 'winograd', inputGradient: 'direct', weightGradient: 'direct' };

/** Devices with tiles of either width, and algorithms that differ from layer to layer. */
const FAST: KernelPlan = {
  mode: 'fast',
  wide: [true, false, true, false],
  convolutions: { conv2: ALL, conv3: SOME },
};

/** Noise: on an even ground without biases, sums would be exactly zero, and any rounding would decide on which side of a ReLU they are. */
const train = randomDataset([1, 28, 28], 10, 60);

test.after.always(() => Promise.all([engine.close(), plain.close()]));

function run(options: Partial<ClusterOptions> = {}): Promise<ClusterOutcome> {
  return trainInMemory({
    model: MODEL,
    request: { grid: [2, 2] },
    kernels: FAST,
    devices: 4,
    train,
    batch: 12,
    steps: 8,
    rate: 0.02,
    seed: 3,
    engine: () => engine,
    ...options,
  });
}

const whole = run();

test('in mode fast a job on 2x2 tiles takes the same steps, to the last bit, each time', async (t) => {
  const again = await run();
  t.true(sameBits(again, await whole));
  t.deepEqual(losses(again), losses(await whole));
});

test('wide tiles have the same bits on an engine that makes nothing of them', async (t) => {
  t.true(sameBits(await run({ engine: (rank) => (rank % 3 === 0 ? plain : engine) }), await whole));
});

test('other tiles and algorithms have other bits, so the plan has to record them', async (t) => {
  const narrow = await run({ kernels: { ...FAST, wide: [false, false, false, false] } });
  t.false(sameBits(narrow, await whole));
  t.false(sameBits(await run({ kernels: { ...FAST, convolutions: {} } }), await whole));
});

test('resumed with its kernels, a run of mode fast ends with the undisturbed bits', async (t) => {
  const { snapshots, checksums } = await whole;
  const resumed = await run({ startStep: 3, initial: snapshots.get(3)!.tensors });
  t.deepEqual(resumed.checksums, checksums);
  for (const [at, { tensors }] of resumed.snapshots) t.deepEqual(tensors, snapshots.get(at)!.tensors);
});

test('the first step of mode fast is that of mode strict, but for rounding', async (t) => {
  const apart = distance(await whole, await run({ kernels: { mode: 'strict' } }));
  t.log(formatDistance(apart));
  t.true(apart.loss <= 2e-5);
  t.true(apart.gradients <= 2e-5, 'no mask flips with this seed');
});
