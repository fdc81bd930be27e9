/** Spans: the stretch of an arena that a view, or a list of values, can touch. */

import { FLOAT_BYTES, type Border, type View } from '../tensor/view.ts';

/** Half-open stretch of bytes, under the name by which a call knows it. */
export interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** All starts of cells are multiples of this. */
  readonly cellBytes: number;
  readonly aligned: boolean;
}

/** Span of `count` contiguous cells. */
export function listSpan(name: string, start: number, count: number, cellBytes = FLOAT_BYTES): Span {
  return { name, start, end: start + count * cellBytes, cellBytes, aligned: start % cellBytes === 0 };
}

/** Span of every cell of a view; of nothing when the view is empty. */
export function viewSpan(name: string, view: View, cellBytes = FLOAT_BYTES): Span {
  if (view.extent.some((extent) => extent === 0)) return listSpan(name, 0, 0, cellBytes);
  const reach = view.extent.map((extent, axis) => (extent - 1) * view.strides[axis]!);
  const start = view.offset + reach.reduce((sum, bytes) => sum + Math.min(0, bytes), 0);
  const end = view.offset + reach.reduce((sum, bytes) => sum + Math.max(0, bytes), 0) + cellBytes;
  const steps = view.strides.filter((_, axis) => view.extent[axis]! > 1);
  return { name, start, end, cellBytes, aligned: [view.offset, ...steps].every((bytes) => bytes % cellBytes === 0) };
}

/** The view with its border as part of its inside. */
export function withBorder(view: View, border: Border): View {
  const [samples, channels, rows, columns] = view.extent;
  return {
    offset: view.offset - border.top * view.strides[2] - border.left * view.strides[3],
    extent: [samples, channels, rows + border.top + border.bottom, columns + border.left + border.right],
    strides: view.strides,
  };
}

/** The span that every tap (byte offsets) of every cell of a view reaches. */
export function tapsSpan(name: string, view: View, taps: readonly number[]): Span {
  const span = viewSpan(name, view);
  if (span.end === span.start || taps.length === 0) return span;
  const aligned = span.aligned && taps.every((tap) => tap % FLOAT_BYTES === 0);
  return { ...span, start: span.start + Math.min(...taps), end: span.end + Math.max(...taps), aligned };
}
