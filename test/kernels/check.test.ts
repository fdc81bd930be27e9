import test from 'ava';

import { checkCalls } from '../../src/kernels/check.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { contiguous, type View } from '../../src/tensor/view.ts';

const BYTES = 32_768;
const plane = (offset: number, height: number, width: number): View => contiguous(offset, [1, 1, height, width]);
const taps = [0, 4, 8];

const convolve = {
  kind: 'convolve',
  source: plane(64, 4, 8),
  target: plane(1024, 2, 4),
  packed: 2048,
  taps,
  bias: 0,
  slope: 1,
} as const;
const convolveWeights = {
  kind: 'convolveWeights',
  source: plane(64, 4, 8),
  gradient: plane(1024, 2, 4),
  taps,
  tapIndex: [0, 1, 2],
  kernelTaps: 3,
  target: 2048,
  scratch: 3072,
} as const;
const maxPool = {
  kind: 'maxPool',
  source: plane(64, 4, 4),
  target: plane(1024, 2, 2),
  kernel: 2,
  stride: 2,
  originY: 0,
  originX: 0,
} as const;
const dense = {
  kind: 'dense',
  source: contiguous(64, [2, 3, 1, 1]),
  target: contiguous(1024, [2, 5, 1, 1]),
  weights: 2048,
  bias: 0,
  slope: 1,
} as const;
const softmax = {
  kind: 'softmaxCrossEntropy',
  logits: contiguous(64, [2, 3, 1, 1]),
  labels: 512,
  gradient: contiguous(1024, [2, 3, 1, 1]),
  count: 2,
  metrics: 2048,
  metricsLength: 3,
  rank: 0,
} as const;
const sgd = {
  kind: 'sgd',
  weights: 64,
  gradient: 128,
  momentum: 0,
  length: 4,
  rate: 256,
  coefficient: 0,
  weightDecay: 0,
} as const;
const pack = { kind: 'pack', source: plane(64, 2, 2), offset: 1024, start: 0, chunkBytes: 8, gapBytes: 8 } as const;

const refused: readonly (readonly [string, KernelCall, RegExp])[] = [
  ['bytes beyond the end', { kind: 'zero', offset: BYTES - 4, bytes: 8 }, /covers bytes 32764 to 32772/u],
  [
    'an offset before the start',
    { kind: 'copy', source: plane(-4, 1, 2), target: plane(64, 1, 2) },
    /covers bytes -4/u,
  ],
  ['an offset that is no number', { kind: 'zero', offset: Number.NaN, bytes: 8 }, /aligned|offset/u],
  ['floats that are not aligned', { kind: 'copy', source: plane(66, 1, 2), target: plane(64, 1, 2) }, /aligned/u],
  [
    'a border beyond the start',
    { kind: 'clearBorder', view: plane(0, 1, 1), border: { top: 0, bottom: 0, left: 1, right: 0 } },
    /border/u,
  ],
  ['extents that differ', { kind: 'add', source: plane(64, 1, 2), target: plane(512, 2, 1) }, /extents differ/u],
  ['a chunk of no bytes', { ...pack, chunkBytes: 0 }, /chunkBytes/u],
  ['a message whose gaps reach beyond the end', { ...pack, offset: BYTES - 16 }, /message/u],
  ['a tap before the start', { ...convolve, taps: [-128, 0, 4] }, /source/u],
  [
    'pixels that are not side by side',
    { ...convolve, target: { ...plane(1024, 2, 4), strides: [64, 64, 32, 8] } },
    /pixel stride/u,
  ],
  ['packed weights beyond the end', { ...convolve, packed: BYTES - 16 }, /packed/u],
  ['as many indices as there are not taps', { ...convolveWeights, tapIndex: [0, 1] }, /3 taps with 2 indices/u],
  ['an index outside the kernel', { ...convolveWeights, tapIndex: [0, 1, 3] }, /outside a kernel/u],
  [
    'gradient rows without room for the last vector',
    { ...convolveWeights, gradient: plane(BYTES - 28, 1, 7) },
    /gradient/u,
  ],
  ['scratch that is not aligned', { ...convolveWeights, scratch: 3076 }, /aligned to 8/u],
  ['windows outside the source', { ...maxPool, originY: 3 }, /wholly outside/u],
  [
    'other channels than the source has',
    { ...maxPool, target: contiguous(1024, [1, 2, 2, 2]) },
    /samples or channels/u,
  ],
  ['samples that differ', { ...dense, target: contiguous(1024, [3, 5, 1, 1]) }, /samples differ/u],
  [
    'rows of weights that overlap',
    { kind: 'denseInput', targetGradient: dense.target, sourceGradient: dense.source, weights: 2048, weightsRow: 4 },
    /4 bytes apart/u,
  ],
  [
    'values of a sample with gaps',
    { ...dense, source: { ...dense.source, strides: [24, 8, 4, 4] } },
    /not contiguous/u,
  ],
  ['a rank without a flag', { ...softmax, rank: 1 }, /rank 1/u],
  ['an empty batch', { ...softmax, count: 0 }, /count/u],
  [
    'logits with rows',
    { ...softmax, logits: contiguous(64, [2, 3, 2, 1]), gradient: contiguous(1024, [2, 3, 2, 1]) },
    /row/u,
  ],
  ['a momentum without room', { ...sgd, coefficient: 0.9 }, /momentum/u],
];

for (const [what, call, message] of refused) {
  test(`a call with ${what} is refused`, (t) => {
    t.throws(() => checkCalls([call], BYTES), { code: 'kernelCall', message });
  });
}

test('calls that fit are accepted, empty views wherever they lie', (t) => {
  const empty = contiguous(1 << 20, [0, 1, 2, 2]);
  checkCalls(
    [convolve, convolveWeights, maxPool, dense, softmax, sgd, pack, { kind: 'copy', source: empty, target: empty }],
    BYTES,
  );
  t.pass();
});
