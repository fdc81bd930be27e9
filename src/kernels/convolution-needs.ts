/** What the calls of a convolution touch, and what they demand of their shapes. */

import {
  convolveWeightsScratch,
  packedWeightsBytes,
  type ConvolveCall,
  type ConvolveDepthwiseCall,
  type ConvolveDepthwiseWeightsCall,
  type ConvolveWeightsCall,
  type PackWeightsCall,
} from '../tensor/call.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { pixelsTouch, type Needs, type Rule } from './rules.ts';
import { listSpan, tapsSpan, viewSpan } from './span.ts';

export function packWeightsNeeds({
  weights,
  packed,
  rows,
  columns,
  rowStride,
  columnStride,
  taps,
}: PackWeightsCall): Needs {
  const view: View = {
    offset: weights,
    extent: [Math.min(1, taps.length), rows, columns, 1],
    strides: [0, rowStride * FLOAT_BYTES, columnStride * FLOAT_BYTES, 0],
  };
  return {
    spans: [
      tapsSpan(
        'weights',
        view,
        taps.map((tap) => tap * FLOAT_BYTES),
      ),
      listSpan('packed', packed, packedWeightsBytes(rows, columns, taps.length) / FLOAT_BYTES),
    ],
  };
}

export function convolveNeeds({ source, target, packed, taps, bias }: ConvolveCall): Needs {
  const [samples, rows, height, width] = target.extent;
  const columns = source.extent[1];
  const read: View = { ...source, extent: [samples, rows === 0 ? 0 : columns, height, width] };
  return {
    spans: [
      tapsSpan('source', read, taps),
      viewSpan('target', target),
      listSpan('packed', packed, packedWeightsBytes(rows, columns, taps.length) / FLOAT_BYTES),
      listSpan('bias', bias, bias === 0 ? 0 : rows),
    ],
    rules: [pixelsTouch('source', read), pixelsTouch('target', target)],
  };
}

export function convolveWeightsNeeds(call: ConvolveWeightsCall): Needs {
  const { source, gradient, taps, tapIndex, kernelTaps } = call;
  const [samples, outputs, height, width] = gradient.extent;
  const inputs = source.extent[1];
  // Whole vectors of four pixels are read, past the last column of each row.
  const wholeVectors = Math.ceil(width / 4) * 4;
  const read: View = { ...source, extent: [samples, outputs === 0 ? 0 : inputs, height, wholeVectors] };
  const gradientRead: View = { ...gradient, extent: [samples, outputs, height, wholeVectors] };
  return {
    spans: [
      tapsSpan('source', read, taps),
      viewSpan('gradient', gradientRead),
      listSpan('target', call.target, outputs * inputs * kernelTaps),
      listSpan('scratch', call.scratch, convolveWeightsScratch(inputs, taps.length) / 8, 8),
    ],
    rules: [
      pixelsTouch('source', read),
      pixelsTouch('gradient', gradientRead),
      ...tapRules(taps, tapIndex, kernelTaps),
    ],
  };
}

export function convolveDepthwiseNeeds(call: ConvolveDepthwiseCall): Needs {
  const { target, weights, kernelTaps, bias } = call;
  const channels = target.extent[1];
  return {
    spans: [
      viewSpan('target', target),
      listSpan('weights', weights, channels * kernelTaps),
      listSpan('bias', bias, bias === 0 ? 0 : channels),
      tapsSpan('source', { ...call.source, extent: target.extent }, call.taps),
    ],
    rules: depthwiseRules(call, target),
  };
}

export function convolveDepthwiseWeightsNeeds(call: ConvolveDepthwiseWeightsCall): Needs {
  const [samples, channels, rows, columns] = call.gradient.extent;
  const extent = [samples, channels, rows, Math.ceil(columns / 4) * 4] as const;
  return {
    spans: [
      viewSpan('gradient', { ...call.gradient, extent }),
      tapsSpan('source', { ...call.source, extent }, call.taps),
      listSpan('target', call.target, channels * call.kernelTaps),
    ],
    rules: depthwiseRules(call, { ...call.gradient, extent }),
  };
}

/** @param outputs the view whose pixels read the source, as wide as it is read */
function depthwiseRules(call: ConvolveDepthwiseCall | ConvolveDepthwiseWeightsCall, outputs: View): readonly Rule[] {
  const { source, taps, tapIndex, kernelTaps } = call;
  return [
    [source.extent[1] === outputs.extent[1], `channels differ: ${source.extent[1]} and ${outputs.extent[1]}`],
    pixelsTouch('source', { ...source, extent: outputs.extent }),
    pixelsTouch('outputs', outputs),
    ...tapRules(taps, tapIndex, kernelTaps),
  ];
}

function tapRules(taps: readonly number[], tapIndex: readonly number[], kernelTaps: number): readonly Rule[] {
  return [
    [taps.length === tapIndex.length, `${taps.length} taps with ${tapIndex.length} indices`],
    [tapIndex.every((index) => index >= 0 && index < kernelTaps), `a tap index outside a kernel of ${kernelTaps}`],
  ];
}
