import test from 'ava';
import fc from 'fast-check';

import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { MaxPoolCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { CLOSE, NAN_BITS, extents, forAll, storages } from './sandbox.ts';

const engine = await createEngine();
test.after.always(() => engine.close());

const windows = fc
  .record({
    extent: extents(3, 3, 9, 27),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    source: storages(),
    target: storages(),
    cut: fc.integer({ min: -1, max: 2 }),
    levels: fc.constantFrom(2, 5, 1000),
  })
  .map((c) => {
    const origin = Math.max(-Math.floor(c.kernel / 2), Math.min(c.cut, 0));
    const outputs = (extent: number): number =>
      Math.max(1, Math.floor((extent - origin - 1) / c.stride + 1 - Math.max(0, c.cut)));
    return { ...c, origin, outputs: [c.extent[0], c.extent[1], outputs(c.extent[2]), outputs(c.extent[3])] as const };
  });

test('max pooling agrees with the reference where windows overlap, have gaps, or leave the image', async (t) => {
  await forAll(
    windows,
    async (c, sandbox) => {
      const source = sandbox.view(c.extent, c.source);
      const target = sandbox.view(c.outputs, c.target);
      sandbox.writes('target', target);
      const { kernel, stride, origin } = c;
      await sandbox.agrees(t, engine, [
        { kind: 'maxPool', source, target, kernel, stride, originY: origin, originX: origin },
      ]);
    },
    150,
  );
});

test('gradients of max pooling go to the first maximum, and those of overlapping windows add up', async (t) => {
  await forAll(
    windows,
    async (c, sandbox) => {
      const source = sandbox.view(c.extent, c.source);
      // Few different values, so that most windows hold their maximum more than once.
      for (let i = 0; i < sandbox.floats.length; i++)
        sandbox.floats[i] = Math.round(sandbox.floats[i]! * c.levels) / c.levels;
      const targetGradient = sandbox.view(c.outputs, c.target);
      const sourceGradient = sandbox.view(c.extent, c.target);
      sandbox.writes('source gradient', sourceGradient, CLOSE);
      const { kernel, stride, origin } = c;
      await sandbox.agrees(t, engine, [
        {
          kind: 'maxPoolBackward',
          source,
          targetGradient,
          sourceGradient,
          kernel,
          stride,
          originY: origin,
          originX: origin,
        },
      ]);
    },
    150,
  );
});

test('a window that holds NaN gives NaN', async (t) => {
  await forAll(
    fc.integer({ min: 0, max: 39 }),
    async (cell, sandbox) => {
      const source = sandbox.view([1, 1, 2, 20]);
      sandbox.integers[source.offset / FLOAT_BYTES + cell] = NAN_BITS;
      const target = sandbox.view([1, 1, 1, 10]);
      const call: MaxPoolCall = { kind: 'maxPool', source, target, kernel: 2, stride: 2, originY: 0, originX: 0 };
      sandbox.writes('target', target);
      await sandbox.agrees(t, engine, [call]);
      const floats = await sandbox.execute(engine, [call]);
      const outputs = Array.from({ length: 10 }, (_, x) => floats[target.offset / FLOAT_BYTES + x]);
      t.deepEqual(
        outputs.map(Number.isNaN),
        outputs.map((_, x) => x === Math.floor((cell % 20) / 2)),
      );
    },
    40,
  );
});

test('gradients pass through an activation where its output is positive', async (t) => {
  const cases = fc.record({
    extent: extents(3, 4, 6, 19),
    output: storages(),
    gradient: storages(),
    slope: fc.constantFrom(0, 0.1, 1),
  });
  await forAll(cases, async (c, sandbox) => {
    const output = sandbox.view(c.extent, c.output);
    sandbox.floats[output.offset / FLOAT_BYTES] = 0;
    const gradient = sandbox.view(c.extent, c.gradient);
    sandbox.writes('gradient', gradient, CLOSE);
    await sandbox.agrees(t, engine, [{ kind: 'activationBackward', output, gradient, slope: c.slope }]);
  });
});
