import fc from 'fast-check';

import {
  convolveWeightsScratch,
  packedWeightsBytes,
  type ConvolveCall,
  type PackWeightsCall,
} from '../../src/tensor/call.ts';
import { FLOAT_BYTES, type Border, type View } from '../../src/tensor/view.ts';
import { testModes } from './modes.ts';
import { ANYTHING, INFINITY_BITS, NAN_BITS, extents, forAll, storages, sumsOf, type Sandbox } from './sandbox.ts';

/** Positions (row, column) that an output reads, relative to it. */
type Window = readonly (readonly [y: number, x: number])[];

const square = (kernel: number): Window =>
  Array.from({ length: kernel ** 2 }, (_, i) => [Math.floor(i / kernel), i % kernel] as const);

const dilated = (kernel: number, dilation: number): Window =>
  square(kernel).map(([y, x]) => [y * dilation, x * dilation] as const);

/** Windows of stride 1 with and without dilation, those of the four phases of a 3x3 kernel at stride 2, and what borders leave of a window. */
const WINDOWS: readonly Window[] = [
  square(1),
  square(2),
  square(3),
  square(5),
  square(7),
  dilated(3, 2),
  dilated(2, 3),
  [[1, 1]],
  [
    [0, 1],
    [1, 1],
  ],
  [
    [1, 0],
    [1, 1],
  ],
  [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ],
  [
    [0, 2],
    [1, 0],
    [2, 1],
  ],
];

const sizes = fc.oneof(extents(3, 9, 7, 40), extents(9, 3, 6, 6), extents(2, 13, 12, 12));
const cases = fc.record({
  extent: sizes,
  rows: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 10 }) },
    { weight: 1, arbitrary: fc.integer({ min: 11, max: 23 }) },
  ),
  window: fc.constantFrom(...WINDOWS),
  storage: storages(),
  targetStorage: storages(),
  bias: fc.boolean(),
  slope: fc.constantFrom(1, 0, 0.1),
});

/** Source storage with the halo that a window needs below and to the right, and the byte offsets of the window's taps. */
function sourceOf(
  sandbox: Sandbox,
  c: { extent: View['extent']; window: Window; storage: { border?: Border } },
  extraColumns = 0,
) {
  const down = Math.max(...c.window.map(([y]) => y));
  const right = Math.max(...c.window.map(([, x]) => x)) + extraColumns;
  const border = c.storage.border!;
  const view = sandbox.view(c.extent, {
    ...c.storage,
    border: { ...border, bottom: border.bottom + down, right: border.right + right },
  });
  return { view, taps: c.window.map(([y, x]) => y * view.strides[2] + x * FLOAT_BYTES) };
}

function packed(sandbox: Sandbox, rows: number, columns: number, taps: number): PackWeightsCall {
  return {
    kind: 'packWeights',
    weights: sandbox.list(rows * columns * taps),
    packed: sandbox.list(packedWeightsBytes(rows, columns, taps) / FLOAT_BYTES),
    rows,
    columns,
    rowStride: columns * taps,
    columnStride: taps,
    taps: Array.from({ length: taps }, (_, tap) => tap),
  };
}

testModes(
  'a convolution agrees with the reference over random shapes, windows, borders and strides',
  async (t, engine, packing) => {
    await forAll(
      cases,
      async (c, sandbox) => {
        const [samples, columns, height, width] = c.extent;
        const { view: source, taps } = sourceOf(sandbox, c);
        const target = sandbox.view([samples, c.rows, height, width], c.targetStorage);
        const pack = packed(sandbox, c.rows, columns, taps.length);
        const convolve: ConvolveCall = {
          kind: 'convolve',
          source,
          target,
          packed: pack.packed,
          taps,
          bias: c.bias ? sandbox.list(c.rows) : 0,
          slope: c.slope,
        };
        sandbox.writesList(
          'packed',
          pack.packed,
          packedWeightsBytes(c.rows, columns, taps.length) / FLOAT_BYTES,
          packing,
        );
        sandbox.writes('target', target, sumsOf(columns * taps.length));
        await sandbox.agrees(t, engine, [pack, convolve]);
      },
      150,
    );
  },
);

testModes('a convolution of more rows than a strip holds agrees with the reference', async (t, engine, packing) => {
  const tall = fc.record({ width: fc.constantFrom(4, 9, 12), height: fc.integer({ min: 60, max: 75 }) });
  await forAll(
    tall,
    async ({ width, height }, sandbox) => {
      const extent = [1, 48, height, width] as const;
      const { view: source, taps } = sourceOf(sandbox, {
        extent,
        window: square(3),
        storage: { border: { top: 0, bottom: 0, left: 0, right: 0 } },
      });
      const target = sandbox.view([1, 5, height, width]);
      const pack = packed(sandbox, 5, 48, 9);
      sandbox.writesList('packed', pack.packed, packedWeightsBytes(5, 48, 9) / FLOAT_BYTES, packing);
      sandbox.writes('target', target, sumsOf(48 * 9));
      await sandbox.agrees(t, engine, [
        pack,
        { kind: 'convolve', source, target, packed: pack.packed, taps, bias: 0, slope: 1 },
      ]);
    },
    6,
  );
});

testModes('a pixel has the same bits in whichever tile it is computed', async (t, engine) => {
  await forAll(
    fc.constant(0),
    async (_, sandbox) => {
      const { view: source, taps } = sourceOf(sandbox, {
        extent: [1, 5, 6, 23],
        window: square(3),
        storage: { border: { top: 0, bottom: 0, left: 0, right: 0 } },
      });
      const pack = packed(sandbox, 4, 5, 9);
      const whole = sandbox.view([1, 4, 6, 23]);
      const parts = [1, 2, 3, 4, 6, 7].map((width) => ({ width, target: sandbox.view([1, 4, 6, width]) }));
      const convolve = (target: View): ConvolveCall => ({
        kind: 'convolve',
        source,
        target,
        packed: pack.packed,
        taps,
        bias: 0,
        slope: 1,
      });
      const floats = await sandbox.execute(engine, [
        pack,
        convolve(whole),
        ...parts.map(({ target }) => convolve(target)),
      ]);
      const row = (view: View, y: number, width: number): Float32Array => {
        const start = (view.offset + y * view.strides[2]) / FLOAT_BYTES;
        return floats.slice(start, start + width);
      };
      for (const { width, target } of parts) {
        for (let y = 0; y < 6; y++) t.deepEqual(row(target, y, width), row(whole, y, width));
      }
    },
    5,
  );
});

testModes('a convolution carries NaN and infinity to its outputs', async (t, engine, packing) => {
  await forAll(
    fc.constantFrom(NAN_BITS, INFINITY_BITS),
    async (bits, sandbox) => {
      const { view: source, taps } = sourceOf(sandbox, {
        extent: [1, 2, 5, 9],
        window: square(3),
        storage: { border: { top: 0, bottom: 0, left: 0, right: 0 } },
      });
      sandbox.integers[source.offset / FLOAT_BYTES + 14] = bits;
      const target = sandbox.view([1, 4, 5, 9]);
      const pack = packed(sandbox, 4, 2, 9);
      sandbox.writesList('packed', pack.packed, packedWeightsBytes(4, 2, 9) / FLOAT_BYTES, packing);
      sandbox.writes('target', target, sumsOf(2 * 9));
      await sandbox.agrees(t, engine, [
        pack,
        { kind: 'convolve', source, target, packed: pack.packed, taps, bias: 0, slope: 0 },
      ]);
    },
    4,
  );
});

testModes(
  'weight gradients agree with the reference over random shapes, windows, borders and strides',
  async (t, engine) => {
    await forAll(
      cases,
      async (c, sandbox) => {
        const [samples, inputs, height, width] = c.extent;
        const tail = Math.ceil(width / 4) * 4 - width;
        const { view: source, taps } = sourceOf(sandbox, c, tail);
        const border = c.targetStorage.border!;
        const gradient = sandbox.view([samples, c.rows, height, width], {
          ...c.targetStorage,
          border: { ...border, right: border.right + tail },
          zeroBorder: true,
        });
        const kernelTaps = taps.length + 2;
        const length = c.rows * inputs * kernelTaps;
        const target = sandbox.list(length);
        const scratchLength = convolveWeightsScratch(inputs, taps.length) / FLOAT_BYTES;
        const scratch = sandbox.list(scratchLength);
        sandbox.writesList('target', target, length, sumsOf(samples * height * width));
        // What is left in the working memory is nobody's business.
        sandbox.writesList('scratch', scratch, scratchLength, ANYTHING);
        const tapIndex = taps.map((_, tap) => taps.length - tap);
        await sandbox.agrees(t, engine, [
          { kind: 'convolveWeights', source, gradient, taps, tapIndex, kernelTaps, target, scratch },
        ]);
      },
      150,
    );
  },
);

testModes('weight gradients of planes of a single row read nothing behind its last vector', async (t, engine) => {
  await forAll(
    fc.record({ width: fc.integer({ min: 1, max: 60 }), inputs: fc.integer({ min: 1, max: 3 }) }),
    async ({ width, inputs }, sandbox) => {
      const border = { top: 0, bottom: 0, left: 0, right: Math.ceil(width / 4) * 4 - width };
      const source = sandbox.view([2, inputs, 1, width], { border });
      const gradient = sandbox.view([2, 3, 1, width], { border, zeroBorder: true });
      const target = sandbox.list(3 * inputs);
      const scratchLength = convolveWeightsScratch(inputs, 1) / FLOAT_BYTES;
      const scratch = sandbox.list(scratchLength);
      sandbox.writesList('target', target, 3 * inputs, sumsOf(2 * width));
      sandbox.writesList('scratch', scratch, scratchLength, ANYTHING);
      await sandbox.agrees(t, engine, [
        { kind: 'convolveWeights', source, gradient, taps: [0], tapIndex: [0], kernelTaps: 1, target, scratch },
      ]);
    },
    30,
  );
});

testModes('weight gradients of rows longer than one chunk agree with the reference', async (t, engine) => {
  await forAll(
    fc.constantFrom(509, 512, 513, 1030),
    async (width, sandbox) => {
      const tail = Math.ceil(width / 4) * 4 - width;
      const { view: source, taps } = sourceOf(
        sandbox,
        { extent: [1, 2, 3, width], window: square(3), storage: { border: { top: 0, bottom: 0, left: 0, right: 0 } } },
        tail,
      );
      const gradient = sandbox.view([1, 3, 3, width], {
        border: { top: 0, bottom: 0, left: 0, right: tail },
        zeroBorder: true,
      });
      const target = sandbox.list(54);
      const scratchLength = convolveWeightsScratch(2, 9) / FLOAT_BYTES;
      const scratch = sandbox.list(scratchLength);
      sandbox.writesList('target', target, 54, sumsOf(3 * width));
      sandbox.writesList('scratch', scratch, scratchLength, ANYTHING);
      const tapIndex = taps.map((_, tap) => tap);
      await sandbox.agrees(t, engine, [
        { kind: 'convolveWeights', source, gradient, taps, tapIndex, kernelTaps: 9, target, scratch },
      ]);
    },
    8,
  );
});

testModes('weight gradients of planes longer than one chunk agree with the reference', async (t, engine) => {
  const planes = fc.record({
    height: fc.integer({ min: 12, max: 34 }),
    width: fc.integer({ min: 25, max: 44 }),
    rows: fc.constantFrom(3, 6, 7),
  });
  await forAll(
    planes,
    async ({ height, width, rows }, sandbox) => {
      const tail = Math.ceil(width / 4) * 4 - width;
      const border = { top: 0, bottom: 0, left: 0, right: 0 };
      const extent = [2, 2, height, width] as const;
      const { view: source, taps } = sourceOf(sandbox, { extent, window: square(3), storage: { border } }, tail);
      const gradient = sandbox.view([2, rows, height, width], { border: { ...border, right: tail }, zeroBorder: true });
      const target = sandbox.list(rows * 18);
      const scratchLength = convolveWeightsScratch(2, 9) / FLOAT_BYTES;
      const scratch = sandbox.list(scratchLength);
      sandbox.writesList('target', target, rows * 18, sumsOf(2 * height * width));
      sandbox.writesList('scratch', scratch, scratchLength, ANYTHING);
      const tapIndex = taps.map((_, tap) => tap);
      await sandbox.agrees(t, engine, [
        { kind: 'convolveWeights', source, gradient, taps, tapIndex, kernelTaps: 9, target, scratch },
      ]);
    },
    16,
  );
});

testModes('sums over planes agree with the reference', async (t, engine) => {
  const planes = fc.record({
    extent: fc.oneof(extents(5, 5, 9, 40), extents(2, 2, 2, 1100), extents(70, 9, 1, 1)),
    storage: storages(),
  });
  await forAll(planes, async ({ extent, storage }, sandbox) => {
    const source = sandbox.view(extent, storage);
    const target = sandbox.list(extent[1]);
    sandbox.writesList('target', target, extent[1], sumsOf(extent[0] * extent[2] * extent[3]));
    await sandbox.agrees(t, engine, [{ kind: 'sumPlanes', source, target }]);
  });
});
