/** Cuts: along what each kind of kernel call can be done in parts, and what the call of a part is. */

import type {
  DenseCall,
  DenseInputCall,
  KernelCall,
  MaxPoolBackwardCall,
  MaxPoolCall,
  PackCall,
  SgdCall,
} from '../tensor/call.ts';
import { FLOAT_BYTES, valuesOf, type View } from '../tensor/view.ts';
import {
  convolveCuts,
  convolveDepthwiseCuts,
  convolveDepthwiseWeightsCuts,
  convolveWeightsCuts,
  packWeightsCuts,
} from './convolution-cuts.ts';
import { ALL_AXES, LINE, along, axisCuts, cutOf, floatsCut, type Cut } from './cut.ts';
import type { PerCall } from './per-call.ts';
import { convolveWinogradCuts, convolveWinogradWeightsCuts, transformWeightsCuts } from './winograd-cuts.ts';

/** Register tiles of dense layers. */
const SAMPLE_BLOCK = 4;
const OUTPUT_BLOCK = 4;
const INPUT_BLOCK = 8;

/** All ways to cut a call; none where one result depends on all values, as that of a loss or a checksum. */
export function cutsOf(call: KernelCall): readonly Cut[] {
  const cuts = CUTS[call.kind] as ((call: KernelCall) => readonly Cut[]) | undefined;
  return cuts?.(call) ?? [];
}

const CUTS: Partial<PerCall<readonly Cut[]>> = {
  zero: (call) => [
    floatsCut(call.bytes / FLOAT_BYTES, (start, end) => ({
      ...call,
      offset: call.offset + start * FLOAT_BYTES,
      bytes: (end - start) * FLOAT_BYTES,
    })),
  ],
  clearBorder: (call) => axisCuts(call.view, [0, 1], (part) => ({ ...call, view: part(call.view) })),
  copy: (call) => axisCuts(call.target, ALL_AXES, (part) => ({ ...call, ...ends(call, part) })),
  add: (call) => axisCuts(call.target, ALL_AXES, (part) => ({ ...call, ...ends(call, part) })),
  pack: packCuts,
  pixels: (call) => axisCuts(call.target, [0, 1, 2], (part) => ({ ...call, ...ends(call, part) })),
  packWeights: packWeightsCuts,
  convolve: convolveCuts,
  convolveWeights: convolveWeightsCuts,
  convolveDepthwise: convolveDepthwiseCuts,
  convolveDepthwiseWeights: convolveDepthwiseWeightsCuts,
  transformWeights: transformWeightsCuts,
  convolveWinograd: convolveWinogradCuts,
  convolveWinogradWeights: convolveWinogradWeightsCuts,
  sumPlanes: (call) => [
    cutOf(call.source.extent[1], (start, end) => ({
      ...call,
      source: along(call.source, 1, start, end),
      target: call.target + start * FLOAT_BYTES,
    })),
  ],
  activationBackward: (call) =>
    axisCuts(call.gradient, [0, 1, 2], (part) => ({
      ...call,
      output: part(call.output),
      gradient: part(call.gradient),
    })),
  maxPool: (call) => [
    ...axisCuts(call.target, [0, 1], (part) => ({ ...call, ...ends(call, part) })),
    cutOf(call.target.extent[2], (start, end) => poolRows(call, start, end)),
  ],
  maxPoolBackward: maxPoolBackwardCuts,
  dense: denseCuts,
  denseInput: denseInputCuts,
  denseWeights: (call) => [
    cutOf(
      valuesOf(call.targetGradient),
      (start, end) => ({
        ...call,
        targetGradient: values(call.targetGradient, start, end),
        target: call.target + start * valuesOf(call.source) * FLOAT_BYTES,
      }),
      OUTPUT_BLOCK,
    ),
  ],
  sgd: (call) => [floatsCut(call.length, (start, end) => sgdPart(call, start, end))],
};

function ends(call: { readonly source: View; readonly target: View }, part: (view: View) => View) {
  return { source: part(call.source), target: part(call.target) };
}

/** Values start to end of every sample, which lie side by side. */
function values({ offset, extent, strides }: View, start: number, end: number): View {
  return {
    offset: offset + start * FLOAT_BYTES,
    extent: [extent[0], end - start, 1, 1],
    strides: [strides[0], FLOAT_BYTES, FLOAT_BYTES, FLOAT_BYTES],
  };
}

/** Only along the outermost axis that there is, so that a part is one stretch of the message. */
function packCuts(call: PackCall): readonly Cut[] {
  const { source, start: first } = call;
  const axis = ALL_AXES.find((a) => source.extent[a] > 1) ?? 3;
  const step = source.extent.slice(axis + 1).reduce((product, extent) => product * extent, FLOAT_BYTES);
  const part = (start: number, end: number): KernelCall => ({
    ...call,
    source: along(source, axis, start, end),
    start: first + start * step,
  });
  return [cutOf(source.extent[axis], part, axis === 3 ? LINE : 1)];
}

function poolRows(call: MaxPoolCall, start: number, end: number): KernelCall {
  return { ...call, target: along(call.target, 2, start, end), originY: call.originY + start * call.stride };
}

/** By channels, and by samples where no sum runs over them. */
function maxPoolBackwardCuts(call: MaxPoolBackwardCall): readonly Cut[] {
  const { source, sums } = call;
  const slices = (axis: 0 | 1) => (start: number, end: number) => ({
    ...call,
    source: along(source, axis, start, end),
    targetGradient: along(call.targetGradient, axis, start, end),
    sourceGradient: along(call.sourceGradient, axis, start, end),
  });
  const channels = (start: number, end: number): KernelCall => ({
    ...slices(1)(start, end),
    sums: sums === 0 ? 0 : sums + start * FLOAT_BYTES,
  });
  const bySamples = sums === 0 ? [cutOf(source.extent[0], slices(0))] : [];
  return [...bySamples, cutOf(source.extent[1], channels)];
}

/** By samples, which the calls around it are cut by too, or by inputs, of which a part has a part of each row of weights. */
function denseInputCuts(call: DenseInputCall): readonly Cut[] {
  const { sourceGradient, targetGradient, weights } = call;
  const samples = sourceGradient.extent[0];
  const rows = (start: number, end: number): KernelCall => ({
    ...call,
    targetGradient: along(targetGradient, 0, start, end),
    sourceGradient: along(sourceGradient, 0, start, end),
  });
  const inputs = (start: number, end: number): KernelCall => ({
    ...call,
    sourceGradient: values(sourceGradient, start, end),
    weights: weights + start * FLOAT_BYTES,
  });
  const sharedBytes = samples * valuesOf(targetGradient) * FLOAT_BYTES;
  return [cutOf(samples, rows, SAMPLE_BLOCK), cutOf(valuesOf(sourceGradient), inputs, INPUT_BLOCK, sharedBytes)];
}

function denseCuts(call: DenseCall): readonly Cut[] {
  const { source, target, weights, bias } = call;
  const [samples, inputs, outputs] = [target.extent[0], valuesOf(source), valuesOf(target)];
  const bySamples = (start: number, end: number): KernelCall => ({
    ...call,
    source: along(source, 0, start, end),
    target: along(target, 0, start, end),
  });
  const byOutputs = (start: number, end: number): KernelCall => ({
    ...call,
    target: values(target, start, end),
    weights: weights + start * inputs * FLOAT_BYTES,
    bias: bias === 0 ? 0 : bias + start * FLOAT_BYTES,
  });
  return [
    cutOf(samples, bySamples, SAMPLE_BLOCK, outputs * inputs * FLOAT_BYTES),
    cutOf(outputs, byOutputs, OUTPUT_BLOCK, samples * inputs * FLOAT_BYTES),
  ];
}

function sgdPart(call: SgdCall, start: number, end: number): KernelCall {
  const bytes = start * FLOAT_BYTES;
  return {
    ...call,
    weights: call.weights + bytes,
    gradient: call.gradient + bytes,
    momentum: call.momentum === 0 ? 0 : call.momentum + bytes,
    length: end - start,
  };
}
