/** The kernel calls of one convolution layer in training, over an arena of its own, as the benchmark measures them. */

import { convolveWeightsScratch, packedWeightsBytes, type KernelCall } from '../tensor/call.ts';
import type { Algorithm } from '../planner/plan.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { winogradWeightsLayout } from '../tensor/winograd-weights.ts';
import {
  WINOGRAD_KERNEL,
  transformedWeightsBytes,
  transformedWeightsStride,
  winogradLayout,
} from '../tensor/winograd.ts';

/** A convolution at stride 1 whose output has the size of its input. */
export interface BenchLayer {
  readonly samples: number;
  /** Rows and columns. */
  readonly extent: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
}

/** Forward and input gradient include the packing of their weights. */
export type BenchPass = 'forward' | 'inputGradient' | 'weightGradient';

/** A pass by an algorithm: its calls. */
export interface BenchCalls {
  readonly pass: BenchPass;
  readonly algorithm: Algorithm;
  readonly calls: readonly KernelCall[];
}

/** Where everything lies. */
interface Layout {
  readonly source: View;
  readonly target: View;
  readonly gradient: View;
  readonly sourceGradient: View;
  readonly weights: number;
  readonly packed: number;
  readonly bias: number;
  readonly weightGradient: number;
  readonly scratch: number;
  /** Index of each tap in the kernel, and its byte offset from an output's pixel. */
  readonly tapIndex: readonly number[];
  readonly taps: readonly number[];
  /** Size of the arena. */
  readonly bytes: number;
}

/** The calls of each pass, by Winograd too where it can compute them, and the bytes of arena that they need. */
export function callsOf(layer: BenchLayer): {
  readonly bytes: number;
  readonly passes: readonly BenchCalls[];
} {
  const layout = layoutOf(layer);
  return {
    bytes: layout.bytes,
    passes: [
      { pass: 'forward', algorithm: 'direct', calls: forwardCalls(layer, layout) },
      { pass: 'inputGradient', algorithm: 'direct', calls: inputGradientCalls(layer, layout) },
      { pass: 'weightGradient', algorithm: 'direct', calls: weightGradientCalls(layout, layer.kernel ** 2) },
      ...(layer.kernel === WINOGRAD_KERNEL ? winogradPasses(layer, layout) : []),
    ],
  };
}

function layoutOf({ samples, extent, inputs, outputs, kernel }: BenchLayer): Layout {
  const space = new Space();
  const halo = kernel >> 1;
  const kernelTaps = kernel ** 2;
  const planes = (channels: number): View => space.planes([samples, channels, extent, extent], halo);
  const source = planes(inputs);
  const row = source.strides[2];
  const tapIndex = Array.from({ length: kernelTaps }, (_, tap) => tap);
  const target = planes(outputs);
  const sourceGradient = planes(inputs);
  const packedBytes = Math.max(
    packedWeightsBytes(outputs, inputs, kernelTaps),
    packedWeightsBytes(inputs, outputs, kernelTaps),
    transformedWeightsBytes(outputs, inputs),
    transformedWeightsBytes(inputs, outputs),
  );
  const scratchBytes = Math.max(
    convolveWeightsScratch(inputs, kernelTaps),
    winogradLayout(inputs, target).bytes,
    winogradLayout(outputs, sourceGradient).bytes,
    winogradWeightsLayout(inputs, target).bytes,
  );
  return {
    source,
    target,
    gradient: planes(outputs),
    sourceGradient,
    weights: space.take(outputs * inputs * kernelTaps * FLOAT_BYTES),
    packed: space.take(packedBytes),
    bias: space.take(outputs * FLOAT_BYTES),
    weightGradient: space.take(outputs * inputs * kernelTaps * FLOAT_BYTES),
    scratch: space.take(scratchBytes),
    tapIndex,
    taps: tapIndex.map((tap) => (Math.floor(tap / kernel) - halo) * row + ((tap % kernel) - halo) * FLOAT_BYTES),
    bytes: space.bytes,
  };
}

function forwardCalls({ inputs, outputs, kernel }: BenchLayer, layout: Layout): readonly KernelCall[] {
  const { source, target, weights, packed, bias, tapIndex, taps } = layout;
  const strides = { rowStride: inputs * kernel ** 2, columnStride: kernel ** 2 };
  return [
    { kind: 'packWeights', weights, packed, rows: outputs, columns: inputs, ...strides, taps: tapIndex },
    { kind: 'convolve', source, target, packed, taps, bias, slope: 0.1 },
  ];
}

function inputGradientCalls({ inputs, outputs, kernel }: BenchLayer, layout: Layout): readonly KernelCall[] {
  const { gradient, sourceGradient, weights, packed, tapIndex, taps } = layout;
  const strides = { rowStride: kernel ** 2, columnStride: inputs * kernel ** 2 };
  return [
    { kind: 'packWeights', weights, packed, rows: inputs, columns: outputs, ...strides, taps: tapIndex.toReversed() },
    { kind: 'convolve', source: gradient, target: sourceGradient, packed, taps, bias: 0, slope: 1 },
  ];
}

function weightGradientCalls(layout: Layout, kernelTaps: number): readonly KernelCall[] {
  const { source, gradient, taps, tapIndex, weightGradient, scratch } = layout;
  return [{ kind: 'convolveWeights', source, gradient, taps, tapIndex, kernelTaps, target: weightGradient, scratch }];
}

function winogradPasses({ inputs, outputs, kernel }: BenchLayer, layout: Layout): readonly BenchCalls[] {
  const { target, gradient, sourceGradient, weights, packed, bias, scratch } = layout;
  const source = fromFirstTap(layout.source, layout);
  const forward = { weights, packed, frequencyStride: transformedWeightsStride(outputs, inputs) };
  const backward = { weights, packed, frequencyStride: transformedWeightsStride(inputs, outputs) };
  const [outer, inner] = [inputs * kernel ** 2, kernel ** 2];
  const order = { rows: outputs, columns: inputs, rowStride: outer, columnStride: inner, mirrored: false };
  const turned = { rows: inputs, columns: outputs, rowStride: inner, columnStride: outer, mirrored: true };
  return [
    {
      pass: 'forward',
      algorithm: 'winograd',
      calls: [
        { kind: 'transformWeights', ...forward, ...order },
        { kind: 'convolveWinograd', source, target, ...forward, bias, slope: 0.1, scratch },
      ],
    },
    {
      pass: 'inputGradient',
      algorithm: 'winograd',
      calls: [
        { kind: 'transformWeights', ...backward, ...turned },
        {
          kind: 'convolveWinograd',
          source: fromFirstTap(gradient, layout),
          target: sourceGradient,
          ...backward,
          bias: 0,
          slope: 1,
          scratch,
        },
      ],
    },
    {
      pass: 'weightGradient',
      algorithm: 'winograd',
      calls: [{ kind: 'convolveWinogradWeights', source, gradient, target: layout.weightGradient, scratch }],
    },
  ];
}

/** The planes, counted from the pixel that the first output's first tap reads. */
function fromFirstTap(planes: View, { taps }: Layout): View {
  return { ...planes, offset: planes.offset + taps[0]! };
}

/** Offsets in an arena, one buffer behind the other. */
class Space {
  bytes = 64;

  take(bytes: number): number {
    const offset = this.bytes;
    this.bytes = Math.ceil((offset + bytes) / 64 + 1) * 64;
    return offset;
  }

  /** Planes with a halo and rows of whole vectors; strides that are multiples of 4 KiB would share cache sets, so they get a line more. */
  planes(shape: View['extent'], halo: number): View {
    const [samples, channels, height, width] = shape;
    const row = (Math.ceil(width / 4) * 4 + 2 * halo) * FLOAT_BYTES;
    const plane = Math.ceil((row * (height + 2 * halo)) / 64) * 64;
    const stride = plane % 4096 === 0 ? plane + 64 : plane;
    const offset = this.take(samples * channels * stride) + halo * (row + FLOAT_BYTES);
    return { offset, extent: shape, strides: [channels * stride, stride, row, FLOAT_BYTES] };
  }
}
