import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';

import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { at, positions } from '../../src/kernels/reference/memory.ts';
import { packedWeightsBytes, type KernelCall } from '../../src/tensor/call.ts';
import type { Extent } from '../../src/tensor/box.ts';
import { FLOAT_BYTES, type View } from '../../src/tensor/view.ts';
import {
  transformedWeightsBytes,
  transformedWeightsStride,
  winogradLayout,
  type ConvolveWinogradCall,
  type TransformWeightsCall,
} from '../../src/tensor/winograd.ts';
import { createModeEngine } from './mode-engine.ts';
import { ANYTHING, extents, forAll, storages, type Sandbox, type Storage } from './sandbox.ts';

const engines = {
  'mode strict': await createModeEngine({ mode: 'strict' }, { revectorize: false }),
  'mode fast': await createModeEngine({ mode: 'fast' }, { revectorize: false }),
  'mode fast, revectorized': await createModeEngine({ mode: 'fast' }, { revectorize: true }),
} as const;
test.after.always(() => Promise.all(Object.values(engines).map((engine) => engine.close())));

function testEngines(title: string, check: (t: ExecutionContext, engine: Engine) => Promise<void>): void {
  for (const [name, engine] of Object.entries(engines)) test(`${name}: ${title}`, (t) => check(t, engine));
}

/** Sums of so many random products, by way of 36 points: 2e-5 of the size that such sums have. */
const winogradSumsOf = (columns: number) => ({ relative: 2e-5, floor: Math.sqrt(9 * columns) / 3 });

interface Shape {
  readonly extent: Extent;
  readonly rows: number;
  readonly storage: Storage;
  readonly targetStorage: Storage;
  readonly bias: boolean;
  readonly slope: number;
  readonly mirrored: boolean;
}

const shapesOf = (sizes: fc.Arbitrary<Extent>): fc.Arbitrary<Shape> =>
  fc.record({
    extent: sizes,
    rows: fc.integer({ min: 1, max: 23 }),
    storage: storages(),
    targetStorage: storages(),
    bias: fc.boolean(),
    slope: fc.constantFrom(1, 0, 0.1),
    mirrored: fc.boolean(),
  });

/** The calls of a convolution, its weights read as forward or as the input gradient reads them, and what they may write. */
function callsOf(sandbox: Sandbox, shape: Shape): readonly [TransformWeightsCall, ConvolveWinogradCall] {
  const { extent, rows, storage, targetStorage, bias, slope, mirrored } = shape;
  const [samples, columns, height, width] = extent;
  const border = storage.border!;
  const halo = { ...border, bottom: border.bottom + 2, right: border.right + 2 };
  const target = sandbox.view([samples, rows, height, width], targetStorage);
  const [bytes, layout] = [transformedWeightsBytes(rows, columns), winogradLayout(columns, target)];
  const packed = { packed: sandbox.take(bytes), frequencyStride: transformedWeightsStride(rows, columns) };
  const scratch = sandbox.take(layout.bytes);
  sandbox.writesList('packed', packed.packed, bytes / FLOAT_BYTES, ANYTHING);
  sandbox.writesList('scratch', scratch, layout.bytes / FLOAT_BYTES, ANYTHING);
  sandbox.writes('target', target, winogradSumsOf(columns));
  return [
    {
      kind: 'transformWeights',
      weights: sandbox.list(rows * columns * 9),
      ...packed,
      rows,
      columns,
      rowStride: mirrored ? 9 : columns * 9,
      columnStride: mirrored ? rows * 9 : 9,
      mirrored,
    },
    {
      kind: 'convolveWinograd',
      source: sandbox.view(extent, { ...storage, border: halo }),
      target,
      ...packed,
      bias: bias ? sandbox.list(rows) : 0,
      slope,
      scratch,
    },
  ];
}

const small = fc.oneof(extents(3, 9, 9, 30), extents(9, 3, 6, 6), extents(2, 13, 12, 12));

testEngines(
  'a Winograd convolution agrees with the reference over random shapes, borders and strides',
  async (t, engine) => {
    await forAll(shapesOf(small), (shape, sandbox) => sandbox.agrees(t, engine, callsOf(sandbox, shape)), 40);
  },
);

testEngines('several blocks of tiles and of output channels agree with the reference', async (t, engine) => {
  const large = fc.oneof(
    fc.constant([1, 3, 21, 150] as const),
    fc.constant([2, 4, 30, 37] as const),
    fc.constant([9, 2, 13, 13] as const),
  );
  await forAll(
    shapesOf(large),
    (shape, sandbox) => sandbox.agrees(t, engine, callsOf(sandbox, { ...shape, rows: 60 + shape.rows })),
    2,
  );
});

test('a Winograd convolution is the direct one, whichever way the weights are read', async (t) => {
  const engine = createReferenceEngine();
  await forAll(
    shapesOf(extents(2, 4, 9, 9)),
    async (shape, sandbox) => {
      const [transform, winograd] = callsOf(sandbox, shape);
      const { source, target, bias, slope } = winograd;
      const direct = sandbox.view(target.extent);
      const packed = sandbox.list(packedWeightsBytes(transform.rows, transform.columns, 9) / FLOAT_BYTES);
      const { weights, rows, columns, rowStride, columnStride, mirrored } = transform;
      const taps = Array.from({ length: 9 }, (_, tap) => (mirrored ? 8 - tap : tap));
      const places = Array.from({ length: 9 }, (_, i) => Math.floor(i / 3) * source.strides[2] + (i % 3) * FLOAT_BYTES);
      const calls: readonly KernelCall[] = [
        { kind: 'packWeights', weights, packed, rows, columns, rowStride, columnStride, taps },
        { kind: 'convolve', source, target: direct, packed, taps: places, bias, slope },
      ];
      const floats = await sandbox.execute(engine, [transform, winograd, ...calls]);
      const values = (view: View) => [...positions(view)].map((p) => floats[at(view, p) / FLOAT_BYTES]!);
      const wanted = values(direct);
      const distance = Math.max(...values(target).map((value, i) => Math.abs(value - wanted[i]!)));
      // The products of the reference are rounded to float32 nowhere, its transformed weights are.
      t.true(distance <= 1e-6 * Math.sqrt(9 * columns), `${distance} apart`);
    },
    40,
  );
});

testEngines(
  'a value that is not finite reaches the outputs that look at it, and no further than their tiles',
  async (t, engine) => {
    await forAll(
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
      async (value, sandbox) => {
        const noBorder = { border: { top: 0, bottom: 0, left: 0, right: 0 } };
        const shape = { extent: [1, 2, 12, 20], rows: 3, storage: noBorder, targetStorage: noBorder } as const;
        const calls = callsOf(sandbox, { ...shape, bias: false, slope: 1, mirrored: false });
        const { source, target } = calls[1];
        // Outputs (4, 8) to (6, 10) look at it; they lie in one tile of rows 4 to 7 and columns 8 to 11.
        sandbox.floats[at(source, [0, 1, 6, 10]) / FLOAT_BYTES] = value;
        const floats = await sandbox.execute(engine, calls);
        for (const p of positions(target)) {
          const [, , y, x] = p;
          const finite = Number.isFinite(floats[at(target, p) / FLOAT_BYTES]);
          if (y >= 4 && y <= 6 && x >= 8 && x <= 10) t.false(finite);
          if (y < 4 || y > 7 || x < 8 || x > 11) t.true(finite);
        }
      },
      4,
    );
  },
);
