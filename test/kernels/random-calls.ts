/** Random kernel calls of every kind that can be split, over the storage of a sandbox, as programs emit them. */

import fc from 'fast-check';

import type { Extent } from '../../src/tensor/box.ts';
import { convolveWeightsScratch, packedWeightsBytes, type KernelCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES, contiguous, valuesOf, type View } from '../../src/tensor/view.ts';
import { transformedWeightsBytes, transformedWeightsStride, winogradLayout } from '../../src/tensor/winograd.ts';
import { winogradWeightsLayout } from '../../src/tensor/winograd-weights.ts';
import { extents, storages, type Sandbox, type Storage } from './sandbox.ts';

/** What a random call is made of; each kind takes what it needs. */
export interface Shape {
  readonly extent: Extent;
  /** Output channels, or outputs. */
  readonly rows: number;
  readonly kernel: number;
  readonly stride: number;
  readonly slope: number;
  readonly bias: boolean;
  readonly storage: Storage;
  readonly targetStorage: Storage;
}

export const shapes: fc.Arbitrary<Shape> = fc.record({
  extent: fc.oneof(extents(9, 3, 6, 6), extents(3, 9, 9, 12), extents(2, 20, 12, 5)),
  rows: fc.integer({ min: 1, max: 21 }),
  kernel: fc.constantFrom(1, 2, 3, 5),
  stride: fc.constantFrom(1, 2),
  slope: fc.constantFrom(1, 0, 0.1),
  bias: fc.boolean(),
  storage: storages(),
  targetStorage: storages(),
});

type Maker = (sandbox: Sandbox, shape: Shape) => KernelCall;

export const CALLS: Partial<Record<KernelCall['kind'], Maker>> = {
  zero: (sandbox, { extent }) => ({ kind: 'zero', offset: sandbox.list(cells(extent)), bytes: cells(extent) * 4 }),
  clearBorder: (sandbox, { extent, storage }) => ({
    kind: 'clearBorder',
    view: sandbox.view(extent, storage),
    border: storage.border!,
  }),
  copy: (sandbox, shape) => ({ kind: 'copy', ...pair(sandbox, shape) }),
  add: (sandbox, shape) => ({ kind: 'add', ...pair(sandbox, shape) }),
  pack: (sandbox, shape) => pack(sandbox, shape),
  pixels: (sandbox, { extent, targetStorage }) => ({
    kind: 'pixels',
    source: contiguous(sandbox.list(cells(extent)), extent, 1),
    target: sandbox.view(extent, targetStorage),
    mean: 0.3,
    deviation: 0.4,
  }),
  packWeights: (sandbox, shape) => packWeights(sandbox, shape),
  convolve: (sandbox, shape) => convolve(sandbox, shape),
  convolveWeights: (sandbox, shape) => convolveWeights(sandbox, shape),
  convolveDepthwise: (sandbox, shape) => convolveDepthwise(sandbox, shape),
  convolveDepthwiseWeights: (sandbox, shape) => convolveDepthwiseWeights(sandbox, shape),
  transformWeights: (sandbox, shape) => transformWeights(sandbox, shape),
  convolveWinograd: (sandbox, shape) => convolveWinograd(sandbox, shape),
  convolveWinogradWeights: (sandbox, shape) => convolveWinogradWeights(sandbox, shape),
  sumPlanes: (sandbox, { extent, storage }) => ({
    kind: 'sumPlanes',
    source: sandbox.view(extent, storage),
    target: sandbox.list(extent[1]),
  }),
  activationBackward: (sandbox, shape) => {
    const { source, target } = pair(sandbox, shape);
    return { kind: 'activationBackward', output: source, gradient: target, slope: shape.slope };
  },
  maxPool: (sandbox, shape) => {
    const { source, target, window } = pooling(sandbox, shape);
    return { kind: 'maxPool', source, target, ...window };
  },
  maxPoolBackward: (sandbox, shape) => {
    const { source, target, window } = pooling(sandbox, shape);
    const sourceGradient = sandbox.view(shape.extent, shape.targetStorage);
    return {
      kind: 'maxPoolBackward',
      source,
      targetGradient: target,
      sourceGradient,
      ...window,
      slope: shape.slope,
      sums: shape.bias ? sandbox.list(shape.extent[1]) : 0,
    };
  },
  dense: (sandbox, shape) => {
    const { inputs, outputs, weights } = layer(sandbox, shape);
    const bias = shape.bias ? sandbox.list(shape.rows) : 0;
    return { kind: 'dense', source: inputs, target: outputs, weights, bias, slope: shape.slope };
  },
  denseInput: (sandbox, shape) => {
    const { inputs, outputs, weights } = layer(sandbox, shape);
    const weightsRow = valuesOf(inputs) * FLOAT_BYTES;
    return { kind: 'denseInput', targetGradient: outputs, sourceGradient: inputs, weights, weightsRow };
  },
  denseWeights: (sandbox, shape) => {
    const { inputs, outputs, weights } = layer(sandbox, shape);
    return { kind: 'denseWeights', source: inputs, targetGradient: outputs, target: weights };
  },
  sgd: (sandbox, { extent, bias }) => ({
    kind: 'sgd',
    weights: sandbox.list(cells(extent)),
    gradient: sandbox.list(cells(extent)),
    momentum: bias ? sandbox.list(cells(extent)) : 0,
    length: cells(extent),
    rate: sandbox.list(1),
    coefficient: bias ? 0.9 : 0,
    weightDecay: 0.01,
  }),
};

function cells(extent: Extent): number {
  return extent.reduce((product, length) => product * length, 1);
}

function pair(sandbox: Sandbox, { extent, storage, targetStorage }: Shape) {
  return { source: sandbox.view(extent, storage), target: sandbox.view(extent, targetStorage) };
}

function pack(sandbox: Sandbox, { extent, storage, rows }: Shape): KernelCall {
  const [chunkBytes, gapBytes, start] = [rows * FLOAT_BYTES, 8, 3 * FLOAT_BYTES];
  const bytes = start + cells(extent) * FLOAT_BYTES;
  const offset = sandbox.take(bytes + Math.ceil(bytes / chunkBytes) * gapBytes);
  return { kind: 'pack', source: sandbox.view(extent, storage), offset, start, chunkBytes, gapBytes };
}

function packWeights(sandbox: Sandbox, { extent, rows, kernel }: Shape): KernelCall {
  const [columns, taps] = [extent[1], kernel ** 2];
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

/** A source with the halo that a k x k window needs, and the byte offset of each tap. */
function windowed(sandbox: Sandbox, { extent, storage, kernel }: Shape) {
  const border = storage.border!;
  const halo = { ...border, bottom: border.bottom + kernel, right: border.right + kernel + 3 };
  const source = sandbox.view(extent, { ...storage, border: halo });
  const tap = (t: number): number => Math.floor(t / kernel) * source.strides[2] + (t % kernel) * FLOAT_BYTES;
  return { source, taps: Array.from({ length: kernel ** 2 }, (_, t) => tap(t)) };
}

function convolve(sandbox: Sandbox, shape: Shape): KernelCall {
  const { extent, rows, slope, bias, targetStorage } = shape;
  const { source, taps } = windowed(sandbox, shape);
  return {
    kind: 'convolve',
    source,
    target: sandbox.view([extent[0], rows, extent[2], extent[3]], targetStorage),
    packed: sandbox.list(packedWeightsBytes(rows, extent[1], taps.length) / FLOAT_BYTES),
    taps,
    bias: bias ? sandbox.list(rows) : 0,
    slope,
  };
}

function transformWeights(sandbox: Sandbox, { extent, rows, kernel }: Shape): KernelCall {
  const columns = extent[1];
  return {
    kind: 'transformWeights',
    weights: sandbox.list(rows * columns * 9),
    ...transformed(sandbox, rows, columns),
    rows,
    columns,
    rowStride: columns * 9,
    columnStride: 9,
    mirrored: kernel % 2 === 0,
  };
}

function transformed(sandbox: Sandbox, rows: number, columns: number) {
  const packed = sandbox.list(transformedWeightsBytes(rows, columns) / FLOAT_BYTES);
  return { packed, frequencyStride: transformedWeightsStride(rows, columns) };
}

function convolveWinograd(sandbox: Sandbox, shape: Shape): KernelCall {
  const { extent, rows, slope, bias, targetStorage } = shape;
  const target = sandbox.view([extent[0], rows, extent[2], extent[3]], targetStorage);
  return {
    kind: 'convolveWinograd',
    source: windowed(sandbox, { ...shape, kernel: 3 }).source,
    target,
    ...transformed(sandbox, rows, extent[1]),
    bias: bias ? sandbox.list(rows) : 0,
    slope,
    scratch: sandbox.take(winogradLayout(extent[1], target).bytes),
  };
}

function convolveWinogradWeights(sandbox: Sandbox, shape: Shape): KernelCall {
  const { extent, rows } = shape;
  const gradient = gradientOf(sandbox, shape, rows);
  return {
    kind: 'convolveWinogradWeights',
    source: windowed(sandbox, { ...shape, kernel: 3 }).source,
    gradient,
    target: sandbox.list(rows * extent[1] * 9),
    scratch: sandbox.take(winogradWeightsLayout(extent[1], gradient).bytes),
  };
}

/** A gradient whose rows are followed by zeros up to a whole vector. */
function gradientOf(sandbox: Sandbox, { extent, targetStorage }: Shape, channels: number): View {
  const border = targetStorage.border!;
  const tail = (4 - (extent[3] % 4)) % 4;
  return sandbox.view([extent[0], channels, extent[2], extent[3]], {
    ...targetStorage,
    border: { ...border, right: border.right + tail },
    zeroBorder: true,
  });
}

function convolveDepthwise(sandbox: Sandbox, shape: Shape): KernelCall {
  const { source, taps } = windowed(sandbox, shape);
  return {
    kind: 'convolveDepthwise',
    source,
    target: sandbox.view(shape.extent, shape.targetStorage),
    weights: sandbox.list(shape.extent[1] * taps.length),
    taps,
    tapIndex: taps.map((_, tap) => tap),
    kernelTaps: taps.length,
    bias: shape.bias ? sandbox.list(shape.extent[1]) : 0,
    slope: shape.slope,
  };
}

function convolveDepthwiseWeights(sandbox: Sandbox, shape: Shape): KernelCall {
  const { source, taps } = windowed(sandbox, shape);
  return {
    kind: 'convolveDepthwiseWeights',
    source,
    gradient: gradientOf(sandbox, shape, shape.extent[1]),
    taps,
    tapIndex: taps.map((_, tap) => tap),
    kernelTaps: taps.length,
    target: sandbox.list(shape.extent[1] * taps.length),
  };
}

function convolveWeights(sandbox: Sandbox, shape: Shape): KernelCall {
  const { extent, rows } = shape;
  const { source, taps } = windowed(sandbox, shape);
  return {
    kind: 'convolveWeights',
    source,
    gradient: gradientOf(sandbox, shape, rows),
    taps,
    tapIndex: taps.map((_, tap) => taps.length - 1 - tap),
    kernelTaps: taps.length,
    target: sandbox.list(rows * extent[1] * taps.length),
    scratch: sandbox.take(convolveWeightsScratch(extent[1], taps.length)),
  };
}

function pooling(sandbox: Sandbox, { extent, kernel, stride, storage, targetStorage }: Shape) {
  const origin = -Math.min(1, kernel - 1);
  const outputs = (length: number): number => Math.max(1, Math.floor((length - origin - 1) / stride));
  const target: Extent = [extent[0], extent[1], outputs(extent[2]), outputs(extent[3])];
  return {
    source: sandbox.view(extent, storage),
    target: sandbox.view(target, targetStorage),
    window: { kernel, stride, originY: origin, originX: origin },
  };
}

function layer(sandbox: Sandbox, { extent, rows, storage }: Shape) {
  const inputs: View = sandbox.view(extent, { sampleGap: storage.sampleGap! });
  const outputs: View = sandbox.view([extent[0], rows, 1, 1], { sampleGap: storage.planeGap! });
  return { inputs, outputs, weights: sandbox.list(rows * (cells(extent) / extent[0])) };
}
