/**
 * Checks kernel calls before they are encoded: shapes that no kernel takes, and views that leave the arena. Kernels themselves
 * check nothing, so this is what stands between a wrong plan and overwritten memory.
 */

import { KernelError } from '../errors.ts';
import {
  convolveWeightsScratch,
  packedWeightsBytes,
  type ConvolveCall,
  type ConvolveWeightsCall,
  type KernelCall,
  type MaxPoolBackwardCall,
  type MaxPoolCall,
  type PackCall,
  type PackWeightsCall,
} from '../tensor/call.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { listSpan, tapsSpan, viewSpan, withBorder, type Span } from './span.ts';

/** A condition of a call, and what it says when it does not hold. */
type Rule = readonly [holds: boolean, text: string];

interface Needs {
  readonly spans: readonly Span[];
  readonly rules?: readonly Rule[];
}

/**
 * Checks calls against an arena of `bytes` bytes.
 * @throws {KernelError} `kernelCall` naming the call's position and kind, and what is wrong with it
 */
export function checkCalls(calls: readonly KernelCall[], bytes: number): void {
  calls.forEach((call, index) => {
    const fault = faultOf(needsOf(call), bytes);
    if (fault !== undefined) throw new KernelError('kernelCall', `call ${index} (${call.kind}): ${fault}`);
  });
}

function faultOf({ spans, rules = [] }: Needs, bytes: number): string | undefined {
  const broken = rules.find(([holds]) => !holds);
  if (broken !== undefined) return broken[1];
  for (const { name, start, end, cellBytes, aligned } of spans) {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end))
      return `${name} has an offset that is not an integer`;
    if (!aligned) return `${name} is not aligned to ${cellBytes} bytes`;
    if (start < 0 || end > bytes) return `${name} covers bytes ${start} to ${end} of an arena of ${bytes}`;
  }
  return undefined;
}

/** What each kind of call touches and demands. */
function needsOf(call: KernelCall): Needs {
  switch (call.kind) {
    case 'zero':
      return { spans: [listSpan('offset', call.offset, call.bytes / FLOAT_BYTES)] };
    case 'clearBorder':
      return { spans: [viewSpan('view with its border', withBorder(call.view, call.border))] };
    case 'copy':
    case 'add':
      return {
        spans: [viewSpan('source', call.source), viewSpan('target', call.target)],
        rules: [sameExtent(call.source, call.target)],
      };
    case 'pack':
      return packNeeds(call);
    case 'pixels':
      return {
        spans: [viewSpan('source', call.source, 1), viewSpan('target', call.target)],
        rules: [sameExtent(call.source, call.target)],
      };
    case 'packWeights':
      return packWeightsNeeds(call);
    case 'convolve':
      return convolveNeeds(call);
    case 'convolveWeights':
      return convolveWeightsNeeds(call);
    case 'sumPlanes':
      return {
        spans: [viewSpan('source', call.source), listSpan('target', call.target, call.source.extent[1])],
        rules: [packedPixels('source', call.source)],
      };
    case 'activationBackward':
      return {
        spans: [viewSpan('output', call.output), viewSpan('gradient', call.gradient)],
        rules: [
          sameExtent(call.output, call.gradient),
          packedPixels('output', call.output),
          packedPixels('gradient', call.gradient),
        ],
      };
    case 'maxPool':
      return {
        spans: [viewSpan('source', call.source), viewSpan('target', call.target)],
        rules: windowRules(call, call.target),
      };
    case 'maxPoolBackward':
      return {
        spans: [
          viewSpan('source', call.source),
          viewSpan('targetGradient', call.targetGradient),
          viewSpan('sourceGradient', call.sourceGradient),
        ],
        rules: [sameExtent(call.source, call.sourceGradient), ...windowRules(call, call.targetGradient)],
      };
    case 'dense':
      return denseNeeds(call.source, call.target, [
        ['weights', call.weights, rowLength(call.source) * rowLength(call.target)],
        ['bias', call.bias, call.bias === 0 ? 0 : rowLength(call.target)],
      ]);
    case 'denseInput':
      return denseNeeds(call.targetGradient, call.sourceGradient, [
        ['weights', call.weights, rowLength(call.sourceGradient) * rowLength(call.targetGradient)],
      ]);
    case 'denseWeights':
      return denseNeeds(call.source, call.targetGradient, [
        ['target', call.target, rowLength(call.source) * rowLength(call.targetGradient)],
      ]);
    case 'softmaxCrossEntropy':
      return {
        spans: [
          ...lossSpans(call),
          viewSpan('logits', call.logits),
          viewSpan('gradient', call.gradient),
          listSpan('labels', call.labels, call.logits.extent[0]),
        ],
        rules: [
          ...lossRules(call),
          sameExtent(call.logits, call.gradient),
          [call.logits.extent[2] * call.logits.extent[3] <= 1, 'logits have rows or columns'],
        ],
      };
    case 'meanSquares':
      return {
        spans: [...lossSpans(call), viewSpan('output', call.output), viewSpan('gradient', call.gradient)],
        rules: [...lossRules(call), sameExtent(call.output, call.gradient)],
      };
    case 'sgd':
      return {
        spans: [
          listSpan('weights', call.weights, call.length),
          listSpan('gradient', call.gradient, call.length),
          listSpan('momentum', call.momentum, call.momentum === 0 ? 0 : call.length),
        ],
        rules: [[call.momentum !== 0 || call.coefficient === 0, 'a momentum coefficient without momentum values']],
      };
    case 'checksum':
      return { spans: [listSpan('offset', call.offset, call.bytes / FLOAT_BYTES), listSpan('target', call.target, 1)] };
  }
}

function sameExtent(a: View, b: View): Rule {
  return [
    a.extent.every((extent, axis) => extent === b.extent[axis]),
    `extents differ: ${a.extent.join('x')} and ${b.extent.join('x')}`,
  ];
}

function packedPixels(name: string, view: View): Rule {
  return [
    view.extent[3] <= 1 || view.strides[3] === FLOAT_BYTES,
    `${name} has a pixel stride of ${view.strides[3]}, wanted ${FLOAT_BYTES}`,
  ];
}

function packNeeds({ source, offset, start, chunkBytes, gapBytes }: PackCall): Needs {
  const bytes = source.extent.reduce((product, extent) => product * extent, FLOAT_BYTES);
  const place = (byte: number) => offset + byte + Math.floor(byte / chunkBytes) * gapBytes;
  const cells = bytes === 0 ? 0 : (place(start + bytes - FLOAT_BYTES) - place(start)) / FLOAT_BYTES + 1;
  return {
    spans: [viewSpan('source', source), listSpan('message', place(start), cells)],
    rules: [
      [
        chunkBytes > 0 && chunkBytes % FLOAT_BYTES === 0,
        `chunkBytes is ${chunkBytes}, wanted a positive multiple of ${FLOAT_BYTES}`,
      ],
      [gapBytes >= 0 && gapBytes % FLOAT_BYTES === 0, `gapBytes is ${gapBytes}, wanted a multiple of ${FLOAT_BYTES}`],
      [start >= 0 && start % FLOAT_BYTES === 0, `start is ${start}, wanted a multiple of ${FLOAT_BYTES}`],
    ],
  };
}

function packWeightsNeeds({ weights, packed, rows, columns, rowStride, columnStride, taps }: PackWeightsCall): Needs {
  const strides = [0, rowStride * FLOAT_BYTES, columnStride * FLOAT_BYTES, 0] as const;
  const view: View = { offset: weights, extent: [taps.length === 0 ? 0 : 1, rows, columns, 1], strides };
  const bytes = taps.map((tap) => tap * FLOAT_BYTES);
  return {
    spans: [
      tapsSpan('weights', view, bytes),
      listSpan('packed', packed, packedWeightsBytes(rows, columns, taps.length) / FLOAT_BYTES),
    ],
  };
}

function convolveNeeds({ source, target, packed, taps, bias }: ConvolveCall): Needs {
  const [samples, rows, height, width] = target.extent;
  const reads: View = { ...source, extent: [samples, rows === 0 ? 0 : source.extent[1], height, width] };
  return {
    spans: [
      tapsSpan('source', reads, taps),
      viewSpan('target', target),
      listSpan('packed', packed, packedWeightsBytes(rows, source.extent[1], taps.length) / FLOAT_BYTES),
      listSpan('bias', bias, bias === 0 ? 0 : rows),
    ],
    rules: [packedPixels('source', reads), packedPixels('target', target)],
  };
}

function convolveWeightsNeeds(call: ConvolveWeightsCall): Needs {
  const { source, gradient, taps, tapIndex, kernelTaps, scratch } = call;
  const [samples, outputs, height, width] = gradient.extent;
  const inputs = source.extent[1];
  // Whole vectors of four pixels are read, past the last column of each row.
  const extent = (channels: number) => [samples, channels, height, Math.ceil(width / 4) * 4] as const;
  return {
    spans: [
      tapsSpan('source', { ...source, extent: extent(outputs === 0 ? 0 : inputs) }, taps),
      viewSpan('gradient', { ...gradient, extent: extent(outputs) }),
      listSpan('target', call.target, outputs * inputs * kernelTaps),
      listSpan('scratch', scratch, convolveWeightsScratch(inputs, taps.length) / 8, 8),
    ],
    rules: [
      packedPixels('source', { ...source, extent: extent(inputs) }),
      packedPixels('gradient', gradient),
      [taps.length === tapIndex.length, `${taps.length} taps with ${tapIndex.length} indices`],
      [tapIndex.every((index) => index >= 0 && index < kernelTaps), `a tap index outside a kernel of ${kernelTaps}`],
    ],
  };
}

/** Every window must meet the source, so that it has a maximum. */
function windowRules(call: MaxPoolCall | MaxPoolBackwardCall, target: View): readonly Rule[] {
  const { source, kernel, stride } = call;
  const meets = (origin: number, axis: 2 | 3) =>
    origin + kernel > 0 && origin + (target.extent[axis] - 1) * stride < source.extent[axis];
  const empty = target.extent.some((extent) => extent === 0);
  return [
    [source.extent[0] === target.extent[0] && source.extent[1] === target.extent[1], 'samples or channels differ'],
    [empty || (meets(call.originY, 2) && meets(call.originX, 3)), 'a window lies wholly outside the source'],
  ];
}

function rowLength(view: View): number {
  return view.extent[1] * view.extent[2] * view.extent[3];
}

/** Rows of dense layers are contiguous, whatever their axes; samples may lie anywhere. */
function denseNeeds(a: View, b: View, lists: readonly (readonly [string, number, number])[]): Needs {
  return {
    spans: [
      viewSpan('first view', a),
      viewSpan('second view', b),
      ...lists.map(([name, start, count]) => listSpan(name, start, count)),
    ],
    rules: [
      [a.extent[0] === b.extent[0], `samples differ: ${a.extent[0]} and ${b.extent[0]}`],
      [isRow(a) && isRow(b), 'the values of a sample are not contiguous'],
    ],
  };
}

function isRow({ extent, strides }: View): boolean {
  const wanted = [0, extent[2] * extent[3] * FLOAT_BYTES, extent[3] * FLOAT_BYTES, FLOAT_BYTES];
  return ([1, 2, 3] as const).every((axis) => extent[axis] <= 1 || strides[axis] === wanted[axis]);
}

interface LossCall {
  readonly count: number;
  readonly metrics: number;
  readonly metricsLength: number;
  readonly rank: number;
}

function lossSpans({ metrics, metricsLength }: LossCall): readonly Span[] {
  return [listSpan('metrics', metrics, metricsLength)];
}

function lossRules({ count, metricsLength, rank }: LossCall): readonly Rule[] {
  return [
    [count > 0, `count is ${count}`],
    [rank >= 0 && 2 + rank < metricsLength, `rank ${rank} has no place among ${metricsLength} metrics`],
  ];
}
