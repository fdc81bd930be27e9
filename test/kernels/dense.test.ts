import fc from 'fast-check';

import { FLOAT_BYTES, type View } from '../../src/tensor/view.ts';
import { testModes } from './modes.ts';
import { forAll, sumsOf, type Sandbox } from './sandbox.ts';

const sizes = fc.oneof(
  fc.record({
    samples: fc.integer({ min: 1, max: 9 }),
    inputs: fc.integer({ min: 1, max: 40 }),
    outputs: fc.integer({ min: 1, max: 20 }),
  }),
  fc.record({
    samples: fc.constantFrom(1, 5),
    inputs: fc.integer({ min: 505, max: 1100 }),
    outputs: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    samples: fc.integer({ min: 120, max: 270 }),
    inputs: fc.integer({ min: 1, max: 12 }),
    outputs: fc.integer({ min: 1, max: 7 }),
  }),
  fc.record({
    samples: fc.constantFrom(2, 3),
    inputs: fc.integer({ min: 1, max: 17 }),
    outputs: fc.integer({ min: 120, max: 270 }),
  }),
);
const cases = fc.record({
  sizes,
  gap: fc.integer({ min: 0, max: 5 }),
  bias: fc.boolean(),
  slope: fc.constantFrom(1, 0, 0.1),
  image: fc.boolean(),
});

/** Samples of contiguous values, once as a vector and once as an image of two rows where that is possible. */
function rows(sandbox: Sandbox, samples: number, length: number, options: { gap: number; image: boolean }): View {
  const view = sandbox.view([samples, length, 1, 1], { sampleGap: options.gap });
  if (!options.image || length % 2 !== 0) return view;
  const row = (length / 2) * FLOAT_BYTES;
  return { ...view, extent: [samples, 1, 2, length / 2], strides: [view.strides[0], 2 * row, row, FLOAT_BYTES] };
}

testModes('a fully connected layer agrees with the reference over random sizes', async (t, engine) => {
  await forAll(
    cases,
    async ({ sizes: { samples, inputs, outputs }, bias, slope, ...options }, sandbox) => {
      const source = rows(sandbox, samples, inputs, options);
      const target = rows(sandbox, samples, outputs, options);
      const weights = sandbox.list(outputs * inputs);
      sandbox.writes('target', target, sumsOf(inputs));
      await sandbox.agrees(t, engine, [
        { kind: 'dense', source, target, weights, bias: bias ? sandbox.list(outputs) : 0, slope },
      ]);
    },
    100,
  );
});

testModes('input gradients of a fully connected layer agree with the reference', async (t, engine) => {
  await forAll(
    cases,
    async ({ sizes: { samples, inputs, outputs }, ...options }, sandbox) => {
      const targetGradient = rows(sandbox, samples, outputs, options);
      const sourceGradient = rows(sandbox, samples, inputs, options);
      const weightsRow = (inputs + options.gap) * FLOAT_BYTES;
      const weights = sandbox.list(outputs * (inputs + options.gap));
      sandbox.writes('source gradient', sourceGradient, sumsOf(outputs));
      await sandbox.agrees(t, engine, [{ kind: 'denseInput', targetGradient, sourceGradient, weights, weightsRow }]);
    },
    100,
  );
});

testModes('weight gradients of a fully connected layer agree with the reference', async (t, engine) => {
  await forAll(
    cases,
    async ({ sizes: { samples, inputs, outputs }, ...options }, sandbox) => {
      const source = rows(sandbox, samples, inputs, options);
      const targetGradient = rows(sandbox, samples, outputs, options);
      const target = sandbox.list(outputs * inputs);
      sandbox.writesList('target', target, outputs * inputs, sumsOf(samples));
      await sandbox.agrees(t, engine, [{ kind: 'denseWeights', source, targetGradient, target }]);
    },
    100,
  );
});
