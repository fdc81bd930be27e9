/** What each kind of kernel call touches, and what it demands of its shapes. */

import type {
  MaxPoolBackwardCall,
  MaxPoolCall,
  MeanSquaresCall,
  PackCall,
  SoftmaxCrossEntropyCall,
} from '../tensor/call.ts';
import { FLOAT_BYTES, valuesOf, type View } from '../tensor/view.ts';
import {
  convolveDepthwiseNeeds,
  convolveDepthwiseWeightsNeeds,
  convolveNeeds,
  convolveWeightsNeeds,
  packWeightsNeeds,
} from './convolution-needs.ts';
import type { PerCall } from './per-call.ts';
import { pairNeeds, pixelsTouch, sameExtent, type Needs, type Rule } from './rules.ts';
import { listSpan, viewSpan, withBorder, type Span } from './span.ts';
import { convolveWinogradNeeds, convolveWinogradWeightsNeeds, transformWeightsNeeds } from './winograd-needs.ts';

/** The needs of every kind of call. */
export const NEEDS: PerCall<Needs> = {
  zero: ({ offset, bytes }) => ({ spans: [listSpan('offset', offset, bytes / FLOAT_BYTES)] }),
  clearBorder: ({ view, border }) => ({ spans: [viewSpan('view with its border', withBorder(view, border))] }),
  copy: ({ source, target }) => pairNeeds({ source, target }),
  add: ({ source, target }) => pairNeeds({ source, target }),
  pack: packNeeds,
  pixels: ({ source, target }) => ({
    spans: [viewSpan('source', source, 1), viewSpan('target', target)],
    rules: [sameExtent(source, target)],
  }),
  packWeights: packWeightsNeeds,
  convolve: convolveNeeds,
  convolveWeights: convolveWeightsNeeds,
  convolveDepthwise: convolveDepthwiseNeeds,
  convolveDepthwiseWeights: convolveDepthwiseWeightsNeeds,
  transformWeights: transformWeightsNeeds,
  convolveWinograd: convolveWinogradNeeds,
  convolveWinogradWeights: convolveWinogradWeightsNeeds,
  sumPlanes: ({ source, target }) => ({
    spans: [viewSpan('source', source), listSpan('target', target, source.extent[1])],
    rules: [pixelsTouch('source', source)],
  }),
  activationBackward: ({ output, gradient }) =>
    pairNeeds({ output, gradient }, [pixelsTouch('output', output), pixelsTouch('gradient', gradient)]),
  maxPool: (call) => ({
    spans: [viewSpan('source', call.source), viewSpan('target', call.target)],
    rules: windowRules(call, call.target),
  }),
  maxPoolBackward: (call) => ({
    spans: [
      viewSpan('source', call.source),
      viewSpan('target gradient', call.targetGradient),
      viewSpan('source gradient', call.sourceGradient),
      listSpan('sums', call.sums, call.sums === 0 ? 0 : call.sourceGradient.extent[1]),
    ],
    rules: [
      sameExtent(call.source, call.sourceGradient),
      ...windowRules(call, call.targetGradient),
      ...(call.slope === 1 ? [] : [pixelsTouch('source', call.source)]),
      ...(call.slope === 1 && call.sums === 0 ? [] : [pixelsTouch('source gradient', call.sourceGradient)]),
    ],
  }),
  dense: ({ source, target, weights, bias }) => {
    const needs = denseNeeds(source, target, weights);
    return { ...needs, spans: [...needs.spans, listSpan('bias', bias, bias === 0 ? 0 : valuesOf(target))] };
  },
  denseInput: ({ targetGradient, sourceGradient, weights, weightsRow }) => {
    return denseNeeds(sourceGradient, targetGradient, weights, weightsRow);
  },
  denseWeights: ({ source, targetGradient, target }) => denseNeeds(source, targetGradient, target),
  softmaxCrossEntropy: (call) => ({
    spans: [...lossSpans(call, call.logits), listSpan('labels', call.labels, call.logits.extent[0])],
    rules: [
      ...lossRules(call, call.logits),
      [call.logits.extent[2] * call.logits.extent[3] <= 1, 'logits have more than one row or column'],
    ],
  }),
  meanSquares: (call) => ({ spans: lossSpans(call, call.output), rules: lossRules(call, call.output) }),
  sgd: ({ weights, gradient, momentum, length, rate, coefficient }) => ({
    spans: [
      listSpan('weights', weights, length),
      listSpan('gradient', gradient, length),
      listSpan('momentum', momentum, momentum === 0 ? 0 : length),
      listSpan('rate', rate, 1),
    ],
    rules: [[momentum !== 0 || coefficient === 0, 'a momentum coefficient without momentum values']],
  }),
  checksum: ({ offset, bytes, target }) => ({
    spans: [listSpan('offset', offset, bytes / FLOAT_BYTES), listSpan('target', target, 1)],
  }),
};

function packNeeds({ source, offset, start, chunkBytes, gapBytes }: PackCall): Needs {
  const bytes = source.extent.reduce((product, extent) => product * extent, FLOAT_BYTES);
  const place = (byte: number): number => offset + byte + Math.floor(byte / chunkBytes) * gapBytes;
  const cells = bytes === 0 ? 0 : (place(start + bytes - FLOAT_BYTES) - place(start)) / FLOAT_BYTES + 1;
  const whole = (name: string, value: number, least: number): Rule => [
    value >= least && value % FLOAT_BYTES === 0,
    `${name} is ${value}, wanted a multiple of ${FLOAT_BYTES}, at least ${least}`,
  ];
  return {
    spans: [viewSpan('source', source), listSpan('message', place(start), cells)],
    rules: [whole('chunkBytes', chunkBytes, FLOAT_BYTES), whole('gapBytes', gapBytes, 0), whole('start', start, 0)],
  };
}

/** Every window must meet the source, so that it has a maximum. */
function windowRules(call: MaxPoolCall | MaxPoolBackwardCall, target: View): readonly Rule[] {
  const { source, kernel, stride } = call;
  const meets = (origin: number, axis: 2 | 3): boolean =>
    origin + kernel > 0 && origin + (target.extent[axis] - 1) * stride < source.extent[axis];
  const empty = target.extent.some((extent) => extent === 0);
  return [
    [source.extent[0] === target.extent[0] && source.extent[1] === target.extent[1], 'samples or channels differ'],
    [empty || (meets(call.originY, 2) && meets(call.originX, 3)), 'a window lies wholly outside the source'],
  ];
}

/** `matrix` is one float for each output and input, those of an output `row` bytes behind the last one's; the values of a sample are contiguous, samples may lie anywhere. */
function denseNeeds(inputs: View, outputs: View, matrix: number, row = valuesOf(inputs) * FLOAT_BYTES): Needs {
  const rowFloats = row / FLOAT_BYTES;
  return {
    spans: [
      viewSpan('inputs', inputs),
      viewSpan('outputs', outputs),
      listSpan('matrix', matrix, (valuesOf(outputs) - 1) * rowFloats + valuesOf(inputs)),
    ],
    rules: [
      [Number.isInteger(rowFloats) && rowFloats >= valuesOf(inputs), `rows of weights are ${row} bytes apart`],
      [inputs.extent[0] === outputs.extent[0], `samples differ: ${inputs.extent[0]} and ${outputs.extent[0]}`],
      [isRow(inputs) && isRow(outputs), 'the values of a sample are not contiguous'],
    ],
  };
}

function isRow({ extent, strides }: View): boolean {
  const wanted = [0, extent[2] * extent[3] * FLOAT_BYTES, extent[3] * FLOAT_BYTES, FLOAT_BYTES];
  return ([1, 2, 3] as const).every((axis) => extent[axis] <= 1 || strides[axis] === wanted[axis]);
}

type LossCall = SoftmaxCrossEntropyCall | MeanSquaresCall;

function lossSpans({ gradient, metrics, metricsLength }: LossCall, output: View): readonly Span[] {
  return [viewSpan('output', output), viewSpan('gradient', gradient), listSpan('metrics', metrics, metricsLength)];
}

function lossRules({ gradient, count, metricsLength, rank }: LossCall, output: View): readonly Rule[] {
  return [
    sameExtent(output, gradient),
    [count > 0, `count is ${count}, wanted the size of the whole batch`],
    [rank >= 0 && 2 + rank < metricsLength, `rank ${rank} has no place among ${metricsLength} metrics`],
  ];
}
