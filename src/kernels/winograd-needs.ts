/** What the Winograd calls touch, and what they demand of their shapes. */

import { packedWeightsBytes } from '../tensor/call.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import {
  FREQUENCIES,
  TILE_EXTENT,
  WINOGRAD_KERNEL,
  winogradLayout,
  type ConvolveWinogradCall,
  type TransformWeightsCall,
} from '../tensor/winograd.ts';
import { winogradWeightsLayout, type ConvolveWinogradWeightsCall } from '../tensor/winograd-weights.ts';
import { pixelsTouch, type Needs } from './rules.ts';
import { listSpan, viewSpan, type Span } from './span.ts';

export function transformWeightsNeeds(call: TransformWeightsCall): Needs {
  const { weights, rows, columns, rowStride, columnStride } = call;
  const view: View = {
    offset: weights,
    extent: [1, rows, columns, WINOGRAD_KERNEL ** 2],
    strides: [0, rowStride * FLOAT_BYTES, columnStride * FLOAT_BYTES, FLOAT_BYTES],
  };
  return { spans: [viewSpan('weights', view), matricesSpan(call, rows, columns)] };
}

/** The transformed weights of some rows in all frequencies. */
function matricesSpan(
  { packed, frequencyStride }: { readonly packed: number; readonly frequencyStride: number },
  rows: number,
  columns: number,
): Span {
  const bytes = (FREQUENCIES - 1) * frequencyStride + packedWeightsBytes(rows, columns, 1);
  return listSpan('packed', packed, rows * columns === 0 ? 0 : bytes / FLOAT_BYTES);
}

/** What the windows of all pixels of `outputs` read. */
function windowsOf(source: View, outputs: View): View {
  const [samples, channels, height, width] = outputs.extent;
  const halo = WINOGRAD_KERNEL - 1;
  const some = samples * channels * height * width > 0;
  return { ...source, extent: [some ? samples : 0, source.extent[1], height + halo, width + halo] };
}

export function convolveWinogradNeeds(call: ConvolveWinogradCall): Needs {
  const { source, target, bias, scratch } = call;
  const [rows, columns] = [target.extent[1], source.extent[1]];
  const read = windowsOf(source, target);
  return {
    spans: [
      viewSpan('source', read),
      viewSpan('target', target),
      matricesSpan(call, rows, columns),
      listSpan('bias', bias, bias === 0 ? 0 : rows),
      listSpan('scratch', scratch, winogradLayout(columns, target).bytes / FLOAT_BYTES),
    ],
    rules: [pixelsTouch('source', read), pixelsTouch('target', target)],
  };
}

export function convolveWinogradWeightsNeeds(call: ConvolveWinogradWeightsCall): Needs {
  const { source, gradient, target, scratch } = call;
  const [samples, outputs, height, width] = gradient.extent;
  const inputs = source.extent[1];
  const read = windowsOf(source, gradient);
  // Whole tiles are read, past the last column of each row.
  const tiles = Math.ceil(width / TILE_EXTENT) * TILE_EXTENT;
  const gradientRead: View = { ...gradient, extent: [samples, outputs, height, tiles] };
  return {
    spans: [
      viewSpan('source', read),
      viewSpan('gradient', gradientRead),
      listSpan('target', target, outputs * inputs * WINOGRAD_KERNEL ** 2),
      listSpan('scratch', scratch, winogradWeightsLayout(inputs, gradient).bytes / FLOAT_BYTES),
    ],
    rules: [pixelsTouch('source', read), pixelsTouch('gradient', gradientRead)],
  };
}
