import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';

import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { FLOAT_BYTES, contiguous } from '../../src/tensor/view.ts';
import { engines, testModes } from './modes.ts';
import { CLOSE, Sandbox, extents, forAll, storages } from './sandbox.ts';

const all: readonly (readonly [string, Engine])[] = [
  ...Object.entries(engines),
  ['the reference', createReferenceEngine()],
];

/** Loss, correct answers, flags and gradient of one batch of logits. */
async function lossOf(of: Engine, logits: readonly (readonly number[])[], labels: readonly number[]) {
  const sandbox = new Sandbox();
  const classes = logits[0]!.length;
  const extent = [logits.length, classes, 1, 1] as const;
  const view = contiguous(sandbox.values(logits.flat()), extent);
  const gradient = contiguous(sandbox.list(logits.length * classes), extent);
  const metrics = sandbox.list(4);
  const floats = await sandbox.execute(of, [
    {
      kind: 'softmaxCrossEntropy',
      logits: view,
      labels: sandbox.words(labels),
      gradient,
      count: logits.length,
      metrics,
      metricsLength: 4,
      rank: 1,
    },
  ]);
  const list = (offset: number, length: number): number[] =>
    Array.from({ length }, (_, i) => floats[offset / FLOAT_BYTES + i]!);
  const [loss, correct, other, flag] = list(metrics, 4);
  return { loss: loss!, correct, other, flag, gradient: list(gradient.offset, logits.length * classes) };
}

function near(t: ExecutionContext, got: number, wanted: number): void {
  t.true(Math.abs(got - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)), `${got}, wanted ${wanted}`);
}

for (const [name, of] of all) {
  test(`${name}: cross-entropy is log-sum-exp minus the label's score`, async (t) => {
    const { loss, correct, flag, gradient } = await lossOf(
      of,
      [
        [1, 2, 3],
        [-1, 0.5, 0.25],
      ],
      [2, 0],
    );
    const first = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
    const second = Math.log(Math.exp(-1) + Math.exp(0.5) + Math.exp(0.25));
    near(t, loss, (first - 3 + second + 1) / 2);
    t.is(correct, 1);
    t.is(flag, 0);
    near(t, gradient[0]!, Math.exp(1 - first) / 2);
    near(t, gradient[2]!, (Math.exp(3 - first) - 1) / 2);
    near(t, gradient[3]!, (Math.exp(-1 - second) - 1) / 2);
  });

  test(`${name}: huge scores neither overflow nor lose the loss`, async (t) => {
    const { loss, flag, gradient } = await lossOf(
      of,
      [
        [1e30, -1e30, 0],
        [1000, 1001, -3e38],
      ],
      [0, 0],
    );
    near(t, loss, (0 + Math.log(1 + Math.exp(1))) / 2);
    t.is(flag, 0);
    t.true(gradient.every(Number.isFinite));
  });

  test(`${name}: the first of equal scores is the answer`, async (t) => {
    t.is(
      (
        await lossOf(
          of,
          [
            [2, 2, 1],
            [0, 3, 3],
          ],
          [0, 2],
        )
      ).correct,
      1,
    );
  });

  test(`${name}: a loss that is not finite, or a label outside the classes, raises the flag of the rank`, async (t) => {
    for (const score of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { flag, other } = await lossOf(of, [[0, score, 1]], [2]);
      t.is(flag, 1);
      t.is(other, 0);
    }
    t.is((await lossOf(of, [[0, 1, 1]], [3])).flag, 1);
    t.is((await lossOf(of, [[0, 1, 1]], [-1])).flag, 1);
    t.is((await lossOf(of, [[0, -3.4e38, 1]], [1])).flag, 0);
  });
}

testModes('cross-entropy agrees with the reference over random batches', async (t, engine) => {
  const cases = fc.record({
    samples: fc.integer({ min: 1, max: 9 }),
    classes: fc.integer({ min: 1, max: 30 }),
    scale: fc.constantFrom(1, 30, 900),
    storage: storages(),
    rank: fc.integer({ min: 0, max: 3 }),
  });
  await forAll(cases, async ({ samples, classes, scale, storage, rank }, sandbox) => {
    const logits = sandbox.view([samples, classes, 1, 1], storage);
    for (let i = 0; i < sandbox.floats.length; i++) sandbox.floats[i]! *= scale;
    const gradient = sandbox.view([samples, classes, 1, 1], storage);
    const labels = sandbox.words(Array.from({ length: samples }, (_, n) => (n * 7) % classes));
    const metrics = sandbox.list(7);
    sandbox.writes('gradient', gradient, CLOSE);
    sandbox.writesList('metrics', metrics, 7, CLOSE);
    await sandbox.agrees(t, engine, [
      { kind: 'softmaxCrossEntropy', logits, labels, gradient, count: samples + 3, metrics, metricsLength: 7, rank },
    ]);
  });
});

testModes('the mean of squares agrees with the reference over random shapes', async (t, engine) => {
  const cases = fc.record({
    extent: fc.oneof(extents(3, 4, 6, 19), extents(9, 3, 5, 5)),
    storage: storages(2),
    scale: fc.constantFrom(1, 1e18, 1e25),
  });
  await forAll(cases, async ({ extent, storage, scale }, sandbox) => {
    const output = sandbox.view(extent, storage);
    for (let i = 0; i < sandbox.floats.length; i++) sandbox.floats[i]! *= scale;
    const gradient = sandbox.view(extent, storage);
    const metrics = sandbox.list(3);
    sandbox.writes('gradient', gradient, CLOSE);
    sandbox.writesList('metrics', metrics, 3, CLOSE);
    await sandbox.agrees(t, engine, [
      { kind: 'meanSquares', output, gradient, count: 1000, metrics, metricsLength: 3, rank: 0 },
    ]);
  });
});
