import fc from 'fast-check';

import type { KernelCall, MaxPoolBackwardCall, MaxPoolCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { testModes } from './modes.ts';
import { CLOSE, NAN_BITS, extents, forAll, storages, sumsOf, type Sandbox } from './sandbox.ts';

const windows = fc
  .record({
    extent: fc.oneof(extents(3, 3, 9, 27), extents(9, 3, 6, 7)),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    source: storages(),
    target: storages(),
    cut: fc.integer({ min: -1, max: 2 }),
    levels: fc.constantFrom(2, 5, 1000),
    slope: fc.constantFrom(1, 0, 0.1),
    sums: fc.boolean(),
  })
  .map((c) => {
    const origin = Math.max(-Math.floor(c.kernel / 2), Math.min(c.cut, 0));
    const outputs = (extent: number): number =>
      Math.max(1, Math.floor((extent - origin - 1) / c.stride + 1 - Math.max(0, c.cut)));
    return { ...c, origin, outputs: [c.extent[0], c.extent[1], outputs(c.extent[2]), outputs(c.extent[3])] as const };
  });

testModes(
  'max pooling agrees with the reference where windows overlap, have gaps, or leave the image',
  async (t, engine) => {
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
  },
);

type Windows = typeof windows extends fc.Arbitrary<infer Case> ? Case : never;

/** The call, and its views with few different values, so that most windows hold their maximum more than once. */
function backwardOf(sandbox: Sandbox, c: Windows): MaxPoolBackwardCall {
  const source = sandbox.view(c.extent, c.source);
  const end = sandbox.take(0) / FLOAT_BYTES;
  for (let i = 0; i < end; i++) sandbox.floats[i] = Math.round(sandbox.floats[i]! * c.levels) / c.levels;
  const targetGradient = sandbox.view(c.outputs, c.target);
  const sourceGradient = sandbox.view(c.extent, c.target);
  const sums = c.sums ? sandbox.list(c.extent[1]) : 0;
  const { kernel, stride, origin, slope } = c;
  const place = { kernel, stride, originY: origin, originX: origin };
  return { kind: 'maxPoolBackward', source, targetGradient, sourceGradient, ...place, slope, sums };
}

const pairs = windows.map((c): Windows => {
  const outputs = (extent: number): number => Math.max(1, Math.floor((extent - c.origin) / 2));
  return { ...c, kernel: 2, stride: 2, outputs: [...c.extent.slice(0, 2), ...c.extent.slice(2).map(outputs)] as never };
});

for (const [what, cases] of [
  ['where windows overlap, have gaps, or leave the image', windows],
  ['of windows of 2x2 at stride 2', pairs],
] as const) {
  testModes(
    `gradients of max pooling ${what} go to the first maximum and through the activation before it`,
    async (t, engine) => {
      await forAll(
        cases,
        async (c, sandbox) => {
          const call = backwardOf(sandbox, c);
          sandbox.writes('source gradient', call.sourceGradient, CLOSE);
          const [samples, channels, rows, columns] = c.extent;
          if (c.sums) sandbox.writesList('sums', call.sums, channels, sumsOf(samples * rows * columns));
          await sandbox.agrees(t, engine, [call]);
        },
        150,
      );
    },
  );

  testModes(
    `the gradient of max pooling ${what}, the activation's derivative and the sums have the bits of calls of their own`,
    async (t, engine) => {
      await forAll(
        cases,
        async (c, sandbox) => {
          const call = backwardOf(sandbox, { ...c, sums: true });
          for (const cell of [0, 1, 2]) sandbox.floats[call.targetGradient.offset / FLOAT_BYTES + cell] = -0;
          const { source: output, sourceGradient: gradient, slope, sums } = call;
          const apart: readonly KernelCall[] = [
            { ...call, slope: 1, sums: 0 },
            ...(slope === 1 ? [] : [{ kind: 'activationBackward', output, gradient, slope } as const]),
            { kind: 'sumPlanes', source: gradient, target: sums },
          ];
          const bits = async (calls: readonly KernelCall[]): Promise<Int32Array> =>
            new Int32Array((await sandbox.execute(engine, calls)).buffer);
          t.deepEqual(await bits([call]), await bits(apart));
        },
        100,
      );
    },
  );
}

testModes('of equal values, NaN among them, the first one of a window gets the gradient', async (t, engine) => {
  await forAll(
    fc.array(fc.constantFrom(-1, 0, 1, Number.NaN), { minLength: 40, maxLength: 40 }),
    async (values, sandbox) => {
      const source = sandbox.view([1, 1, 2, 20]);
      values.forEach((value, cell) => {
        if (Number.isNaN(value)) sandbox.integers[source.offset / FLOAT_BYTES + cell] = NAN_BITS;
        else sandbox.floats[source.offset / FLOAT_BYTES + cell] = value;
      });
      const targetGradient = sandbox.view([1, 1, 1, 10]);
      const sourceGradient = sandbox.view([1, 1, 2, 20]);
      sandbox.writes('source gradient', sourceGradient, CLOSE);
      const place = { kernel: 2, stride: 2, originY: 0, originX: 0 };
      await sandbox.agrees(t, engine, [
        { kind: 'maxPoolBackward', source, targetGradient, sourceGradient, ...place, slope: 0.1, sums: 0 },
      ]);
    },
    60,
  );
});

testModes('a window that holds NaN gives NaN', async (t, engine) => {
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

testModes('gradients pass through an activation where its output is positive', async (t, engine) => {
  const cases = fc.record({
    extent: fc.oneof(extents(3, 4, 6, 19), extents(9, 3, 5, 5)),
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
