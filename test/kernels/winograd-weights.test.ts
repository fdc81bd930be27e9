import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';

import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import type { Extent } from '../../src/tensor/box.ts';
import { convolveWeightsScratch, type ConvolveWeightsCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { winogradWeightsLayout, type ConvolveWinogradWeightsCall } from '../../src/tensor/winograd-weights.ts';
import { createModeEngine } from './mode-engine.ts';
import { ANYTHING, NAN_BITS, extents, forAll, storages, type Sandbox, type Storage } from './sandbox.ts';

const engines = {
  'mode strict': await createModeEngine({ mode: 'strict' }, { revectorize: false }),
  'mode fast': await createModeEngine({ mode: 'fast' }, { revectorize: false }),
  'mode fast, wide': await createModeEngine({ mode: 'fast', wide: true }, { revectorize: true }),
} as const;
test.after.always(() => Promise.all(Object.values(engines).map((engine) => engine.close())));

function testEngines(title: string, check: (t: ExecutionContext, engine: Engine) => Promise<void>): void {
  for (const [name, engine] of Object.entries(engines)) test(`${name}: ${title}`, (t) => check(t, engine));
}

interface Shape {
  readonly extent: Extent;
  readonly outputs: number;
  readonly storage: Storage;
  readonly gradientStorage: Storage;
}

const shapesOf = (sizes: fc.Arbitrary<Extent>, outputs: fc.Arbitrary<number>): fc.Arbitrary<Shape> =>
  fc.record({ extent: sizes, outputs, storage: storages(), gradientStorage: storages() });

const NO_STORAGE: Storage = { border: { top: 0, bottom: 0, left: 0, right: 0 } };

const small = shapesOf(
  fc.oneof(extents(3, 9, 9, 30), extents(9, 3, 6, 6), extents(2, 13, 12, 12)),
  fc.integer({ min: 1, max: 23 }),
);

/** Two blocks of tiles and more; more channels than are taken at a time. */
const large = shapesOf(
  fc.constantFrom<Extent>([1, 3, 45, 50], [9, 2, 13, 15], [3, 5, 30, 27], [2, 70, 9, 10]),
  fc.constantFrom(15, 33, 66),
);

/** The call over buffers of its own, and what it may write. */
function callOf(sandbox: Sandbox, { extent, outputs, storage, gradientStorage }: Shape): ConvolveWinogradWeightsCall {
  const [samples, inputs, height, width] = extent;
  const halo = { ...storage.border!, bottom: storage.border!.bottom + 2, right: storage.border!.right + 2 };
  const border = gradientStorage.border!;
  // Zeros up to a whole tile; what lies behind them is anything.
  const gradient = sandbox.view([samples, outputs, height, width], {
    ...gradientStorage,
    border: { ...border, right: Math.ceil(width / 4) * 4 - width },
    zeroBorder: true,
  });
  const bytes = winogradWeightsLayout(inputs, gradient).bytes;
  const length = outputs * inputs * 9;
  const target = sandbox.list(length);
  const scratch = sandbox.take(bytes);
  const size = Math.sqrt(samples * height * width) / 3;
  sandbox.writesList('target', target, length, { relative: 1e-5, floor: size });
  sandbox.writesList('scratch', scratch, bytes / FLOAT_BYTES, ANYTHING);
  const source = sandbox.view(extent, { ...storage, border: halo });
  return { kind: 'convolveWinogradWeights', source, gradient, target, scratch };
}

testEngines('weight gradients by Winograd agree with the reference over random shapes', async (t, engine) => {
  await forAll(small, (shape, sandbox) => sandbox.agrees(t, engine, [callOf(sandbox, shape)]), 40);
});

testEngines('several blocks of tiles and of channels agree with the reference', async (t, engine) => {
  await forAll(large, (shape, sandbox) => sandbox.agrees(t, engine, [callOf(sandbox, shape)]), 3);
});

test('weight gradients by Winograd are those of the direct convolution', async (t) => {
  const engine = createReferenceEngine();
  await forAll(
    small,
    async (shape, sandbox) => {
      const call = callOf(sandbox, shape);
      const { source, gradient } = call;
      const inputs = source.extent[1];
      const length = gradient.extent[1] * inputs * 9;
      const direct: ConvolveWeightsCall = {
        kind: 'convolveWeights',
        source,
        gradient,
        taps: Array.from({ length: 9 }, (_, i) => Math.floor(i / 3) * source.strides[2] + (i % 3) * FLOAT_BYTES),
        tapIndex: Array.from({ length: 9 }, (_, i) => i),
        kernelTaps: 9,
        target: sandbox.list(length),
        scratch: sandbox.take(convolveWeightsScratch(inputs, 9)),
      };
      const floats = await sandbox.execute(engine, [call, direct]);
      const values = (offset: number) => floats.slice(offset / FLOAT_BYTES, offset / FLOAT_BYTES + length);
      const wanted = values(direct.target);
      const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const distance = values(call.target).reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
      // Both are float64 sums, rounded to float32 once.
      t.true(distance <= 2 ** -23 * size, `${distance} apart`);
    },
    20,
  );
});

test('wide tiles give the bits of narrow ones', async (t) => {
  await forAll(
    fc.oneof(small, large),
    async (shape, sandbox) => {
      const call = callOf(sandbox, shape);
      const length = call.gradient.extent[1] * call.source.extent[1] * 9;
      const [narrow, wide] = await Promise.all(
        ([engines['mode fast'], engines['mode fast, wide']] as const).map(async (engine) => {
          const floats = await sandbox.execute(engine, [call]);
          return new Int32Array(floats.buffer, call.target, length);
        }),
      );
      t.deepEqual(wide, narrow);
    },
    12,
  );
});

testEngines('a value that is not a number reaches the weights of its channel only', async (t, engine) => {
  const shape: Shape = { extent: [1, 7, 9, 14], outputs: 19, storage: NO_STORAGE, gradientStorage: NO_STORAGE };
  await forAll(
    fc.record({
      input: fc.integer({ min: 0, max: 6 }),
      output: fc.integer({ min: 0, max: 18 }),
      ofInput: fc.boolean(),
    }),
    async ({ input, output, ofInput }, sandbox) => {
      const call = callOf(sandbox, shape);
      const { source, gradient, target } = call;
      const [view, channel] = ofInput ? [source, input] : [gradient, output];
      sandbox.integers[(view.offset + channel * view.strides[1] + 5 * view.strides[2]) / FLOAT_BYTES] = NAN_BITS;
      const floats = await sandbox.execute(engine, [call]);
      for (let pair = 0; pair < 19 * 7; pair++) {
        const reached = ofInput ? pair % 7 === input : Math.floor(pair / 7) === output;
        const taps = floats.slice(target / FLOAT_BYTES + pair * 9, target / FLOAT_BYTES + pair * 9 + 9);
        t.is(taps.some(Number.isNaN), reached);
      }
    },
    6,
  );
});
