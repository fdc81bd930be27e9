import test from 'ava';
import { algorithmsOf, kernelsAt, resumedKernels, type KernelRecord } from '../../src/planner/kernels.ts';
import type { Conv2d } from '../../src/model/layers.ts';
import type { ConvolutionAlgorithms, KernelPlan } from '../../src/planner/plan.ts';

const PASSES: ConvolutionAlgorithms = { forward: 'winograd', inputGradient: 'direct', weightGradient: 'winograd' };

const RECORD: KernelRecord = {
  devices: ['pi1', 'pi2'],
  kernels: { mode: 'fast', wide: [true, false], convolutions: { conv1: PASSES } },
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
    convolutions: { conv1: PASSES },
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
  t.deepEqual(algorithmsOf(RECORD.kernels, CONVOLUTION), PASSES);
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
