/** A cut: one way to do a kernel call in parts, by samples, channels, rows, ... */

import type { KernelCall } from '../tensor/call.ts';
import type { View } from '../tensor/view.ts';

type Axis = 0 | 1 | 2 | 3;

export interface Cut {
  /** How many of them there are, and how many must stay together. */
  readonly length: number;
  readonly unit: number;
  /** Bytes that every part reads, whatever its size. */
  readonly sharedBytes: number;
  /** The call that does start to end. */
  part(start: number, end: number): KernelCall;
}

export const ALL_AXES = [0, 1, 2, 3] as const;

/** Floats of a cache line: lists are cut between lines. */
export const LINE = 16;

/** A cut of `length` things, `unit` of which stay together. */
export function cutOf(length: number, part: Cut['part'], unit = 1, sharedBytes = 0): Cut {
  return { length, unit, sharedBytes, part };
}

/** A cut of a list of floats. */
export function floatsCut(length: number, part: Cut['part']): Cut {
  return cutOf(length, part, LINE);
}

/** Cuts of views that have the same extents on these axes; `make` gets what reduces a view to its part. */
export function axisCuts(
  { extent }: View,
  axes: readonly Axis[],
  make: (part: (view: View) => View) => KernelCall,
): readonly Cut[] {
  return axes.map((axis) =>
    cutOf(extent[axis], (start, end) => make((view) => along(view, axis, start, end)), axis === 3 ? LINE : 1),
  );
}

/** Positions start to end of a view along one axis. */
export function along(view: View, axis: Axis, start: number, end: number): View {
  const [n, c, y, x] = view.extent.map((extent, a) => (a === axis ? end - start : extent));
  return { ...view, offset: view.offset + start * view.strides[axis], extent: [n!, c!, y!, x!] };
}
