import test from 'ava';
import type { Conv2d, Model } from '../../src/model/layers.ts';
import {
  algorithmsOf,
  chooseKernels,
  kernelsAt,
  resumedKernels,
  type KernelRecord,
} from '../../src/planner/kernels.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { ConvolutionAlgorithms, KernelPlan } from '../../src/planner/plan.ts';
import { TYPICAL_RATES, type ConvolutionCost, type KernelRates, type PassRates } from '../../src/tensor/rates.ts';

const CHOSEN: ConvolutionAlgorithms = { forward: 'winograd', inputGradient: 'direct', weightGradient: 'winograd' };

const RECORD: KernelRecord = {
  devices: ['pi1', 'pi2'],
  kernels: { mode: 'fast', wide: [true, false], convolutions: { conv1: CHOSEN } },
};

const CONVOLUTION: Conv2d = {
  kind: 'conv2d',
  name: 'conv1',
  filters: 4,
  kernel: 3,
  stride: 1,
  padding: 1,
  activation: { kind: 'relu' },
};

test('whoever goes on with a run has its algorithms, and devices of the same name their tiles', (t) => {
  const chosen: KernelPlan = { mode: 'fast', wide: [true, false, true], convolutions: {} };
  t.deepEqual(resumedKernels(RECORD, ['pi2', 'pi9', 'pi1'], chosen), {
    mode: 'fast',
    wide: [false, false, true],
    convolutions: { conv1: CHOSEN },
  });
});

test('a run of one mode is not gone on with in the other', (t) => {
  const strict: KernelRecord = { devices: ['pi1'], kernels: { mode: 'strict' } };
  const fast: KernelPlan = { mode: 'fast', wide: [true], convolutions: {} };
  t.throws(() => resumedKernels(strict, ['pi1'], fast), {
    code: 'checkpointMode',
    message:
      'checkpoint.directory: holds a run of mode strict, the job is of mode fast; say mode: strict to go on with it, or train anew without --resume',
  });
  t.throws(() => resumedKernels(RECORD, ['pi1'], { mode: 'strict' }), { code: 'checkpointMode' });
  t.deepEqual(resumedKernels(strict, ['pi7'], { mode: 'strict' }), { mode: 'strict' });
});

test('the kernels of a device are those of its rank, and what the plan does not name is direct', (t) => {
  t.deepEqual(kernelsAt(RECORD.kernels, 1), { mode: 'fast', wide: false });
  t.deepEqual(kernelsAt({ mode: 'strict' }, 1), { mode: 'strict' });
  t.deepEqual(algorithmsOf(RECORD.kernels, CONVOLUTION), CHOSEN);
  const direct = { forward: 'direct', inputGradient: 'direct', weightGradient: 'direct' };
  t.deepEqual(algorithmsOf(RECORD.kernels, { ...CONVOLUTION, name: 'conv2' }), direct);
  t.deepEqual(algorithmsOf({ mode: 'strict' }, CONVOLUTION), direct);
});

test('only 3x3 convolutions without stride, dilation and groups have another algorithm than the direct one', (t) => {
  const others: readonly Partial<Conv2d>[] = [
    { kernel: 5 },
    { kernel: 1 },
    { stride: 2 },
    { dilation: 2 },
    { groups: 2 },
  ];
  for (const other of others) {
    const { forward, inputGradient, weightGradient } = algorithmsOf(RECORD.kernels, { ...CONVOLUTION, ...other });
    t.deepEqual([forward, inputGradient, weightGradient], ['direct', 'direct', 'direct'], JSON.stringify(other));
  }
});

/** Two 3x3 convolutions, and one of another kind between them. */
const MODEL: Model = {
  name: 'chain',
  input: [3, 32, 32],
  layers: [
    { ...CONVOLUTION, name: 'first', filters: 64 },
    { ...CONVOLUTION, name: 'other', filters: 64, kernel: 1, padding: 0 },
    { ...CONVOLUTION, name: 'last', filters: 64 },
  ],
  loss: 'meanSquares',
};

const DIRECT: ConvolutionAlgorithms = { forward: 'direct', inputGradient: 'direct', weightGradient: 'direct' };

/** Rates of all passes alike. */
function rates(wide: boolean, of: (pass: PassRates) => PassRates): KernelRates {
  const { forward, inputGradient, weightGradient } = TYPICAL_RATES;
  return { wide, forward: of(forward), inputGradient: of(inputGradient), weightGradient: of(weightGradient) };
}

/** Rates whose transforms cost so many times the typical ones, and everything so many times that. */
function transforming(factor: number, wide = true, slowness = 1): KernelRates {
  const times = ({ product, source, target, weights }: ConvolutionCost, more: number): ConvolutionCost => ({
    product: slowness * product,
    source: slowness * more * source,
    target: slowness * more * target,
    weights: slowness * more * weights,
  });
  return rates(wide, ({ direct, winograd }) => ({ direct: times(direct, 1), winograd: times(winograd, factor) }));
}

function choice(devices: readonly KernelRates[]) {
  const names = devices.map((_, rank) => `pi${rank + 1}`);
  const { stages } = makePlan(MODEL, names, { batch: 4, request: { grid: [1, devices.length] } });
  return chooseKernels(MODEL, stages, devices);
}

test('where transforms cost nothing 3x3 convolutions go by Winograd, where they cost much directly, and others have no choice', (t) => {
  const cheap = choice([transforming(0)]);
  t.deepEqual(Object.keys(cheap.convolutions), ['first', 'last']);
  t.is(cheap.convolutions['last']!.forward, 'winograd');
  t.is(cheap.convolutions['last']!.inputGradient, 'winograd');
  t.is(cheap.convolutions['last']!.weightGradient, 'winograd');
  t.deepEqual(choice([transforming(1000)]), {
    mode: 'fast',
    wide: [true],
    convolutions: { first: DIRECT, last: DIRECT },
  });
});

test('nobody computes the gradient of the images, so it has no algorithm but the direct one', (t) => {
  t.is(choice([transforming(0)]).convolutions['first']!.inputGradient, 'direct');
});

test('the slowest device of a layer decides for all, and each device has tiles of its own', (t) => {
  const chosen = choice([transforming(0), transforming(1000, false, 10), transforming(0)]);
  t.deepEqual(chosen, { mode: 'fast', wide: [true, false, true], convolutions: { first: DIRECT, last: DIRECT } });
});

test('a device that owns nothing of a stage has no say in it', (t) => {
  const stages = [{ layers: [0, 3], partition: 'single' }] as const;
  const plan = makePlan(MODEL, ['pi1', 'pi2'], { batch: 4, request: { stages } });
  const { convolutions } = chooseKernels(MODEL, plan.stages, [transforming(0), transforming(1000)]);
  t.is(convolutions['last']!.forward, 'winograd');
});
