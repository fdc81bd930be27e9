import fc from 'fast-check';

import { FLOAT_BYTES, type View } from '../../src/tensor/view.ts';
import { testModes } from './modes.ts';
import { extents, forAll, storages, sumsOf, type Sandbox, type Storage } from './sandbox.ts';

const sizes = fc.oneof(extents(3, 5, 9, 40), extents(9, 3, 6, 6), extents(2, 9, 12, 12));
const cases = fc.record({
  extent: sizes,
  kernel: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  mirrored: fc.boolean(),
  storage: storages(),
  targetStorage: storages(),
  bias: fc.boolean(),
  slope: fc.constantFrom(1, 0, 0.1),
});

interface Case {
  readonly extent: View['extent'];
  readonly kernel: number;
  readonly dilation: number;
  readonly mirrored: boolean;
  readonly storage: Storage;
}

/** Source with the halo of the kernel below and to the right, the taps in it, and a kernel of two more weights than taps. */
function kernelOver(sandbox: Sandbox, { extent, kernel, dilation, mirrored, storage }: Case, extraColumns = 0) {
  const reach = (kernel - 1) * dilation;
  const { top, bottom, left, right } = storage.border!;
  const border = { top, left, bottom: bottom + reach, right: right + reach + extraColumns };
  const source = sandbox.view(extent, { ...storage, border });
  const index = Array.from({ length: kernel ** 2 }, (_, tap) => tap);
  const taps = index.map((t) => (Math.floor(t / kernel) * source.strides[2] + (t % kernel) * FLOAT_BYTES) * dilation);
  const tapIndex = mirrored ? index.toReversed() : index.map((tap) => tap + 1);
  return { source, taps, tapIndex, kernelTaps: taps.length + 2 };
}

testModes(
  'a depthwise convolution agrees with the reference over random shapes, kernels, dilations, borders and strides',
  async (t, engine) => {
    await forAll(
      cases,
      async (c, sandbox) => {
        const kernel = kernelOver(sandbox, c);
        const channels = c.extent[1];
        const target = sandbox.view(c.extent, c.targetStorage);
        const weights = sandbox.list(channels * kernel.kernelTaps);
        const bias = c.bias ? sandbox.list(channels) : 0;
        sandbox.writes('target', target, sumsOf(kernel.taps.length));
        await sandbox.agrees(t, engine, [
          { kind: 'convolveDepthwise', ...kernel, target, weights, bias, slope: c.slope },
        ]);
      },
      150,
    );
  },
);

testModes(
  'one pixel of a depthwise convolution has the same bits in tiles of every width and height',
  async (t, engine) => {
    await forAll(
      fc.constant(undefined),
      async (_, sandbox) => {
        const border = { top: 0, bottom: 0, left: 0, right: 0 };
        const shape = { kernel: 3, dilation: 1, mirrored: false, storage: { border } };
        const kernel = kernelOver(sandbox, { extent: [1, 2, 9, 23], ...shape });
        const weights = sandbox.list(2 * kernel.kernelTaps);
        const whole = sandbox.view([1, 2, 9, 23]);
        const sizes = [1, 2, 3, 4, 5, 8, 9, 14, 23].map((width, i) => [1, 2, i + 1, width] as const);
        const parts = sizes.map((extent) => sandbox.view(extent));
        const floats = await sandbox.execute(
          engine,
          [whole, ...parts].map((target) => {
            return { kind: 'convolveDepthwise', ...kernel, target, weights, bias: 0, slope: 0.1 } as const;
          }),
        );
        const row = (view: View, [channel, y]: readonly [number, number], width: number): Float32Array => {
          const start = (view.offset + channel * view.strides[1] + y * view.strides[2]) / FLOAT_BYTES;
          return floats.slice(start, start + width);
        };
        for (const part of parts) {
          const [, channels, rows, width] = part.extent;
          for (let channel = 0; channel < channels; channel++) {
            for (let y = 0; y < rows; y++) t.deepEqual(row(part, [channel, y], width), row(whole, [channel, y], width));
          }
        }
      },
      3,
    );
  },
);

testModes(
  'weight gradients of a depthwise convolution agree with the reference, rows longer than one chunk included',
  async (t, engine) => {
    const long = fc.record({
      extent: fc
        .constantFrom([1, 2, 3, 509], [1, 1, 2, 513], [2, 1, 2, 1030], [1, 2, 70, 9])
        .map((e) => e as View['extent']),
      kernel: fc.constantFrom(1, 3),
      dilation: fc.constant(1),
      mirrored: fc.boolean(),
      storage: storages(),
      targetStorage: storages(),
      bias: fc.constant(false),
      slope: fc.constant(1),
    });
    await forAll(
      fc.oneof({ weight: 9, arbitrary: cases }, long),
      async (c, sandbox) => {
        const [samples, channels, height, width] = c.extent;
        const tail = Math.ceil(width / 4) * 4 - width;
        const kernel = kernelOver(sandbox, c, tail);
        const border = c.targetStorage.border!;
        const storage = { ...c.targetStorage, border: { ...border, right: border.right + tail }, zeroBorder: true };
        const gradient = sandbox.view(c.extent, storage);
        const target = sandbox.list(channels * kernel.kernelTaps);
        sandbox.writesList('target', target, channels * kernel.kernelTaps, sumsOf(samples * height * width));
        await sandbox.agrees(t, engine, [{ kind: 'convolveDepthwiseWeights', ...kernel, gradient, target }]);
      },
      150,
    );
  },
);
