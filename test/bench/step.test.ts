import test from 'ava';
import { benchStep, type StepBenchOptions } from '../../src/bench/step.ts';
import { profileStep } from '../../src/bench/step-profile.ts';
import { openStep } from '../../src/bench/step-subject.ts';
import { InputError, KernelError } from '../../src/errors.ts';
import { TYPICAL_RATES } from '../../src/tensor/rates.ts';

test('the step benchmark runs whole steps and says where their multiply-adds, calls and bytes are', async (t) => {
  const { step, passes, kinds } = await benchStep({
    model: 'yolov2-front',
    size: 32,
    batch: 2,
    threads: 1,
    mode: 'strict',
    steps: 3,
    rounds: 1,
  });
  t.like(step, { model: 'yolov2-front', size: 32, batch: 2, steps: 3, mode: 'strict', algorithm: 'direct' });
  // 18.11 G at 416 x 416, by pixels.
  const multiplyAdds = (2 * 18_108_579_840) / 13 ** 2;
  t.is(Math.round((step.gflops * step.ms * 1e6) / 2), multiplyAdds);
  const counted = passes.reduce((sum, { gflops, ms }) => sum + (gflops * ms * 1e6) / 2, 0);
  t.is(Math.round(counted), multiplyAdds);
  t.true(step.bestMs <= step.ms && step.bestMs > 0);
  t.true(Math.abs(step.shareOfPeak * step.peakGflops - step.gflops) < 1e-9 * step.gflops);
  t.true(step.memoryPeakBytes > step.arenaBytes && step.arenaBytes > 4 * 2 * 3_421_568);
  t.true(Number.isFinite(step.loss) && step.loss > 0);
  t.is(kinds.find(({ call }) => call === 'convolve')!.calls, 23);
  const names = new Set(passes.map(({ layer }) => layer));
  t.deepEqual([names.has('conv1'), names.has('1 maxPool'), names.has('conv12')], [true, true, true]);
});

test('the step benchmark recomputes stages in strips, in less memory, and says what that takes', async (t) => {
  const setup = { model: 'yolov2-front', size: 64, batch: 1, threads: 1, mode: 'strict', steps: 2, rounds: 1 } as const;
  const plain = await benchStep(setup);
  const walked = await benchStep({ ...setup, stages: [0, 4, 8, 12], recompute: true, strips: 4 });
  t.like(walked.step, { stages: [0, 4, 8, 12], recompute: true, strips: 4 });
  t.true(walked.step.arenaBytes < plain.step.arenaBytes);
  const again = walked.passes.filter(({ pass }) => pass === 'recomputation').map(({ layer }) => layer);
  t.deepEqual(
    ['conv1', 'conv2', 'conv5', 'conv8', 'conv12'].map((layer) => again.includes(layer)),
    [true, true, true, true, false],
  );
  t.true(plain.passes.every(({ pass }) => pass !== 'recomputation'));
});

test('the step benchmark measures LeNet-5 at its own size, whatever size is asked for', async (t) => {
  const { step, passes } = await benchStep({
    model: 'lenet5',
    size: 99,
    batch: 3,
    threads: 1,
    mode: 'fast',
    steps: 2,
    rounds: 1,
  });
  t.is(step.size, 28);
  const dense = passes.filter(({ layer }) => layer === 'fc1').map(({ pass }) => pass);
  t.deepEqual(dense.toSorted(), [
    'activation gradient',
    'bias gradient',
    'forward',
    'input gradient',
    'weight gradient',
  ]);
});

test('in mode fast a step has the kernels that the rates choose, and its profile names their algorithms', async (t) => {
  const free = { product: 0, source: 0, target: 0, weights: 0 };
  const rates = { ...TYPICAL_RATES, wide: true, forward: { ...TYPICAL_RATES.forward, winograd: free } };
  const setup = { model: 'yolov2-front', size: 32, batch: 1, threads: 1, mode: 'fast' } as const;
  await using subject = await openStep(setup, rates);
  t.like(subject.plan.kernels, { mode: 'fast', wide: [true] });
  const { passes } = await profileStep(subject, 1);
  const algorithmOf = (layer: string, pass: string) =>
    passes.find((row) => row.layer === layer && row.pass === pass)!.algorithm;
  t.is(algorithmOf('conv2', 'forward'), 'winograd');
  t.is(algorithmOf('conv4', 'forward'), 'direct', 'a 1x1 convolution');
  t.is(algorithmOf('conv4', 'weight gradient'), 'direct');
  t.is(algorithmOf('1 maxPool', 'forward'), 'maxPool');
});

test('what cannot be measured is refused, by the measured process too', async (t) => {
  const mode = 'strict';
  const unknown = await t.throwsAsync(benchStep({ model: 'vgg', batch: 1, threads: 1, mode }), {
    instanceOf: InputError,
  });
  t.is(unknown.code, 'unknownModel');
  const small: StepBenchOptions = { model: 'yolov2-front', size: 8, batch: 1, threads: 1, mode };
  t.is((await t.throwsAsync(benchStep(small), { instanceOf: InputError })).code, 'shapeMismatch');
  const large: StepBenchOptions = { model: 'yolov2-front', size: 416, batch: 4096, threads: 1, mode };
  t.is((await t.throwsAsync(benchStep(large), { instanceOf: KernelError })).code, 'outOfMemory');
});
