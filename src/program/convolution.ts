/**
 * Convolution as kernel calls. Strides beyond 1 split the input into its stride x stride phases, each a plane of its own, so that
 * every kernel walks neighbouring pixels and only the offsets of the taps differ. Groups are convolutions of their own on slices of the
 * channels; a depthwise convolution has calls of its own.
 */

import { windowReach, type Conv2d } from '../model/layers.ts';
import type { Algorithm, ConvolutionAlgorithms } from '../planner/plan.ts';
import { intersectRanges, length, type Box, type Range } from '../tensor/box.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { emitConvolve } from './convolve.ts';
import { channelGroups, channelsOf, isDepthwise } from './groups.ts';
import { emitInputGradient } from './input-gradient.ts';
import type { Linker } from './linker.ts';
import { NO_BORDER, pixelAddress, planesBytes, roundUpToVector, storePlanes, type Stored } from './planes.ts';
import { emitWeightGradient, type Sampled } from './weight-gradient.ts';

/** Addresses of a layer's parameters and, in training, of their gradients. */
export interface ParameterAddresses {
  readonly weights: number;
  readonly bias: number;
  readonly weightGradient: number;
  readonly biasGradient: number;
}

interface ForwardSite {
  readonly convolution: Conv2d;
  readonly input: Stored;
  readonly output: Stored;
  readonly parameters: Pick<ParameterAddresses, 'weights' | 'bias'>;
  readonly slope: number;
  readonly algorithm: Algorithm;
}

/** output = act(weights * input + bias). */
export function emitConvolution(linker: Linker, site: ForwardSite): void {
  const { convolution, input, output, parameters, slope, algorithm } = site;
  const source = sampleInput(linker, convolution, input, output.box);
  const taps = indices(convolution.kernel ** 2);
  if (isDepthwise(convolution, length(input.box[1]))) {
    const { weights, bias } = parameters;
    const kernel = { weights, taps: source.taps, tapIndex: taps, kernelTaps: taps.length };
    linker.emit({ kind: 'convolveDepthwise', source: source.view, target: output.view, ...kernel, bias, slope });
    return;
  }
  for (const { inputs, filters, weightOffset } of channelGroups(convolution, length(input.box[1]))) {
    const [rows, columns] = [length(filters), length(inputs)];
    const weights = parameters.weights + weightOffset;
    const strides = { rowStride: columns * taps.length, columnStride: taps.length };
    emitConvolve(
      linker,
      algorithm,
      { weights, rows, columns, ...strides, taps },
      {
        source: channelsOf(source.view, inputs),
        target: channelsOf(output.view, filters),
        taps: source.taps,
        bias: parameters.bias + filters[0] * FLOAT_BYTES,
        slope,
      },
    );
  }
}

interface BackwardSite {
  readonly convolution: Conv2d;
  readonly input: Stored;
  readonly outputGradient: Stored;
  /** Absent where nobody wants the gradient of the input: the first layer. */
  readonly inputGradient: Stored | undefined;
  readonly parameters: ParameterAddresses;
  readonly algorithms: ConvolutionAlgorithms;
}

/** Gradients of weights and input from the gradient of what the activation was applied to; that of the bias is the caller's. */
export function emitConvolutionBackward(linker: Linker, site: BackwardSite): void {
  const { convolution, input, outputGradient, inputGradient, parameters, algorithms } = site;
  emitWeightGradient(linker, {
    convolution,
    source: sampleInput(linker, convolution, input, outputGradient.box),
    channels: length(input.box[1]),
    outputGradient: outputGradient.view,
    target: parameters.weightGradient,
    algorithm: algorithms.weightGradient,
  });
  if (inputGradient) {
    const { weights } = parameters;
    const algorithm = algorithms.inputGradient;
    emitInputGradient(linker, { convolution, weights, outputGradient, inputGradient, algorithm });
  }
}

/** The pixels that a convolution reads: the input itself at stride 1, else a copy split into phases. */
function sampleInput(linker: Linker, convolution: Conv2d, input: Stored, output: Box): Sampled {
  const { kernel, stride, padding, dilation = 1 } = convolution;
  if (stride === 1) {
    const [, , row, pixel] = input.view.strides;
    const offset = pixelAddress(input, output[2][0] - padding, output[3][0] - padding);
    const taps = indices(kernel ** 2).map((t) => (Math.floor(t / kernel) * row + (t % kernel) * pixel) * dilation);
    return { view: { ...input.view, offset }, taps };
  }
  return splitInput(linker, convolution, input, output);
}

/** Copies input pixel (m·stride + phase) to pixel m of its phase's plane; cells outside the image stay zero. */
function splitInput(linker: Linker, convolution: Conv2d, input: Stored, output: Box): Sampled {
  const { kernel, stride, padding, dilation = 1 } = convolution;
  const shift = (distance: number) => Math.floor((distance - padding) / stride);
  const reach = windowReach(convolution);
  const span = ([start, end]: Range, slack: number): Range => [start + shift(0), end + shift(reach - 1) + slack];
  const channels = length(input.box[1]);
  const rows = span(output[2], 0);
  const columns = span(output[3], roundUpToVector(length(output[3])) - length(output[3]));
  const box: Box = [input.box[0], [0, channels * stride ** 2], rows, columns];
  const bytes = planesBytes(box, NO_BORDER);
  const address = linker.buffer(bytes);
  const split = storePlanes(address, box, NO_BORDER);
  linker.emit({ kind: 'zero', offset: address, bytes });
  const [sample, plane, row, pixel] = split.view.strides;
  for (let phase = 0; phase < stride ** 2; phase++) {
    copyPhase(linker, { input, split, stride, phaseY: Math.floor(phase / stride), phaseX: phase % stride });
  }
  const phaseOf = (distance: number) => (((distance - padding) % stride) + stride) % stride;
  const taps = indices(kernel ** 2).map((t) => {
    const [ty, tx] = [Math.floor(t / kernel) * dilation, (t % kernel) * dilation];
    const phase = phaseOf(ty) * stride + phaseOf(tx);
    return phase * plane + (shift(ty) - shift(0)) * row + (shift(tx) - shift(0)) * pixel;
  });
  const extent = [length(box[0]), channels, length(output[2]), length(output[3])] as const;
  return { view: { offset: split.view.offset, extent, strides: [sample, plane * stride ** 2, row, pixel] }, taps };
}

interface Phase {
  readonly input: Stored;
  readonly split: Stored;
  readonly stride: number;
  readonly phaseY: number;
  readonly phaseX: number;
}

function copyPhase(linker: Linker, { input, split, stride, phaseY, phaseX }: Phase): void {
  // Phase cells m whose pixel m·stride + phase lies in the stored input.
  const cells = ([start, end]: Range, phase: number): Range => [
    Math.ceil((start - phase) / stride),
    Math.ceil((end - phase) / stride),
  ];
  const rows = intersectRanges(cells(input.box[2], phaseY), split.box[2]);
  const columns = intersectRanges(cells(input.box[3], phaseX), split.box[3]);
  const channels = length(input.box[1]);
  const extent = [length(input.box[0]), channels, length(rows), length(columns)] as const;
  if (extent.includes(0)) return;
  const from = input.view.strides;
  const to = split.view.strides;
  const source: View = {
    offset: pixelAddress(input, rows[0] * stride + phaseY, columns[0] * stride + phaseX),
    extent,
    strides: [from[0], from[1], from[2] * stride, from[3] * stride],
  };
  const target: View = {
    offset: pixelAddress(split, rows[0], columns[0]) + (phaseY * stride + phaseX) * to[1],
    extent,
    strides: [to[0], to[1] * stride ** 2, to[2], to[3]],
  };
  linker.emit({ kind: 'copy', source, target });
}

function indices(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
