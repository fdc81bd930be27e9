import test from 'ava';
import fc from 'fast-check';

import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import type { SgdCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { engines, testModes } from './modes.ts';
import { CLOSE, Sandbox, forAll } from './sandbox.ts';

const all: readonly (readonly [string, Engine])[] = [
  ...Object.entries(engines),
  ['the reference', createReferenceEngine()],
];

for (const [name, of] of all) {
  test(`${name}: two steps of SGD are those of PyTorch's definition`, async (t) => {
    const sandbox = new Sandbox();
    const weights = sandbox.values([0.5, -2]);
    const gradient = sandbox.values([0.25, 1]);
    const momentum = sandbox.values([0, 0]);
    const call: SgdCall = {
      kind: 'sgd',
      weights,
      gradient,
      momentum,
      length: 2,
      rate: sandbox.values([0.5]),
      coefficient: 0.75,
      weightDecay: 0.125,
    };
    const floats = await sandbox.execute(of, [call, call]);
    // All of these are exact in float32: g = 0.25 + 0.0625; w = 0.5 - 0.15625; g = 0.25 + 0.04296875; m = 0.75·0.3125 + g; …
    t.is(floats[momentum / FLOAT_BYTES], 0.52734375);
    t.is(floats[weights / FLOAT_BYTES], 0.080078125);
    t.is(floats[momentum / FLOAT_BYTES + 1], 0.75 * 0.75 + 1 - 0.125 * 2.375);
    t.is(floats[weights / FLOAT_BYTES + 1], -2.375 - 0.5 * (0.75 * 0.75 + 1 - 0.125 * 2.375));
  });

  test(`${name}: a checksum depends on every value, on their order and on where it began`, async (t) => {
    const sumOf = async (values: readonly number[], start = 0): Promise<number> => {
      const sandbox = new Sandbox();
      const offset = sandbox.values(values);
      const target = sandbox.words([start]);
      const floats = await sandbox.execute(of, [
        { kind: 'checksum', offset, bytes: values.length * FLOAT_BYTES, target },
      ]);
      return new Int32Array(floats.buffer)[target / FLOAT_BYTES]!;
    };
    const sums = [
      await sumOf([1, 2, 3]),
      await sumOf([2, 1, 3]),
      await sumOf([1, 2, 3.0000002]),
      await sumOf([1, 2, -3]),
      await sumOf([1, 2, 3], 1),
      await sumOf([1, 2, 3, 0]),
      await sumOf([0, 1, 2, 3]),
      await sumOf([]),
    ];
    t.is(new Set(sums).size, sums.length);
    t.is(sums.at(-1), 0, 'of nothing, from 0');
    t.is(await sumOf([3], await sumOf([1, 2])), sums[0]!);
  });

  test(`${name}: all NaNs have the same checksum`, async (t) => {
    const sums = await Promise.all(
      [0x7fc00000, 0x7fc12345, -0x400000, 0x7f800001].map(async (word) => {
        const sandbox = new Sandbox();
        const offset = sandbox.words([word]);
        const target = sandbox.words([0]);
        const floats = await sandbox.execute(of, [{ kind: 'checksum', offset, bytes: FLOAT_BYTES, target }]);
        return new Int32Array(floats.buffer)[target / FLOAT_BYTES]!;
      }),
    );
    t.is(new Set(sums).size, 1);
  });
}

testModes('SGD agrees with the reference, with and without momentum', async (t, engine) => {
  const cases = fc.record({
    length: fc.integer({ min: 0, max: 41 }),
    momentum: fc.boolean(),
    weightDecay: fc.constantFrom(0, 5e-4),
  });
  await forAll(cases, async ({ length, momentum, weightDecay }, sandbox) => {
    const weights = sandbox.list(length);
    const buffer = momentum ? sandbox.list(length) : 0;
    const gradient = sandbox.list(length);
    sandbox.writesList('weights', weights, length, CLOSE);
    if (momentum) sandbox.writesList('momentum', buffer, length, CLOSE);
    const coefficient = momentum ? 0.9 : 0;
    await sandbox.agrees(t, engine, [
      {
        kind: 'sgd',
        weights,
        gradient,
        momentum: buffer,
        length,
        rate: sandbox.values([0.05]),
        coefficient,
        weightDecay,
      },
    ]);
  });
});

testModes('checksums are the same bits as those of the reference', async (t, engine) => {
  await forAll(fc.integer({ min: 0, max: 100 }), async (length, sandbox) => {
    const offset = sandbox.list(length);
    const target = sandbox.words([12345]);
    sandbox.writesList('checksum', target, 1);
    await sandbox.agrees(t, engine, [{ kind: 'checksum', offset, bytes: length * FLOAT_BYTES, target }]);
  });
});
