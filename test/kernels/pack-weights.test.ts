import test from 'ava';
import fc from 'fast-check';

import { packedWeightsBytes, type PackWeightsCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { engines } from './modes.ts';
import { forAll, type Sandbox } from './sandbox.ts';

const ASCENDING = Array.from({ length: 9 }, (_, tap) => tap);

/** Weights of 3x3 kernels as a layer has them, read by rows of outputs or of inputs, with taps in any order. */
interface Packing {
  readonly outputs: number;
  readonly inputs: number;
  readonly backward: boolean;
  readonly taps: readonly number[];
}

const packings: fc.Arbitrary<Packing> = fc.record({
  outputs: fc.integer({ min: 1, max: 34 }),
  inputs: fc.integer({ min: 1, max: 20 }),
  backward: fc.boolean(),
  taps: fc.oneof(
    fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { minLength: 1 }),
    fc.constantFrom(ASCENDING, ASCENDING.toReversed(), [0, 1, 2, 3, 4], [8, 7, 6, 5], [4]),
  ),
});

function packingOf(sandbox: Sandbox, { outputs, inputs, backward, taps }: Packing): PackWeightsCall {
  const [rows, columns] = backward ? [inputs, outputs] : [outputs, inputs];
  const [rowStride, columnStride] = backward ? [9, inputs * 9] : [inputs * 9, 9];
  const weights = sandbox.list(outputs * inputs * 9);
  const target = sandbox.list(packedWeightsBytes(rows, columns, taps.length) / FLOAT_BYTES);
  return { kind: 'packWeights', weights, packed: target, rows, columns, rowStride, columnStride, taps };
}

test('strict: packed weights are blocks of four rows, whichever way the weights are read and whichever taps are chosen', async (t) => {
  await forAll(packings, async (c, sandbox) => {
    const call = packingOf(sandbox, c);
    const length = packedWeightsBytes(call.rows, call.columns, call.taps.length) / FLOAT_BYTES;
    sandbox.writesList('packed', call.packed, length);
    await sandbox.agrees(t, engines.strict, [call]);
  });
});

test('fast: packed weights are blocks of six, six and four rows in turn', async (t) => {
  await forAll(packings, async (c, sandbox) => {
    const call = packingOf(sandbox, { ...c, [c.backward ? 'inputs' : 'outputs']: 32 });
    const floats = await sandbox.execute(engines.fast, [call]);
    const wanted = [0, 6, 12, 16, 22, 28].flatMap((first, block) => {
      const lanes = Array.from({ length: block % 3 === 2 ? 4 : 6 }, (_, lane) => first + lane);
      return Array.from({ length: call.columns }, (_, column) => column).flatMap((column) =>
        call.taps.flatMap((tap) =>
          lanes.map(
            (row) => sandbox.floats[call.weights / 4 + row * call.rowStride + column * call.columnStride + tap]!,
          ),
        ),
      );
    });
    t.deepEqual(floats.slice(call.packed / 4, call.packed / 4 + wanted.length), Float32Array.from(wanted));
  });
});
