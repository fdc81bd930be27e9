/** Boxes: half-open ranges on the four axes of a tensor, in its global coordinates. Who owns, needs or computes what is a Box. */

/** Half-open interval `[start, end)`; empty when `end <= start`. */
export type Range = readonly [start: number, end: number];

/** Ranges of sample, channel, row and column; for parameters the tensor's own first four axes (missing ones are `[0, 1)`). */
export type Box = readonly [n: Range, c: Range, y: Range, x: Range];

/** Extents on the same four axes. */
export type Extent = readonly [n: number, c: number, h: number, w: number];

export const EMPTY_BOX: Box = [
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
];

/** Number of integers in a range. */
export function length(range: Range): number {
  return Math.max(0, range[1] - range[0]);
}

/** Intersection of two ranges; `[0, 0)` when they do not meet. */
export function intersectRanges(a: Range, b: Range): Range {
  const start = Math.max(a[0], b[0]);
  const end = Math.min(a[1], b[1]);
  return end > start ? [start, end] : [0, 0];
}

/** The box that covers a whole tensor. */
export function boxOf(extent: Extent): Box {
  return [
    [0, extent[0]],
    [0, extent[1]],
    [0, extent[2]],
    [0, extent[3]],
  ];
}

/** Extents of a box. */
export function extentOf(box: Box): Extent {
  return [length(box[0]), length(box[1]), length(box[2]), length(box[3])];
}

/** Number of elements in a box. */
export function volume(box: Box): number {
  return length(box[0]) * length(box[1]) * length(box[2]) * length(box[3]);
}

export function isEmpty(box: Box): boolean {
  return volume(box) === 0;
}

/** Intersection of two boxes; {@link EMPTY_BOX} when they do not meet. */
export function intersect(a: Box, b: Box): Box {
  const box: Box = [
    intersectRanges(a[0], b[0]),
    intersectRanges(a[1], b[1]),
    intersectRanges(a[2], b[2]),
    intersectRanges(a[3], b[3]),
  ];
  return isEmpty(box) ? EMPTY_BOX : box;
}

/** Whether `outer` covers every element of `inner`; an empty box is covered by any. */
export function contains(outer: Box, inner: Box): boolean {
  return isEmpty(inner) || inner.every((range, axis) => range[0] >= outer[axis]![0] && range[1] <= outer[axis]![1]);
}

/** The box with its range on one axis replaced. */
export function withRange(box: Box, axis: 0 | 1 | 2 | 3, range: Range): Box {
  const ranges = [...box] as [Range, Range, Range, Range];
  ranges[axis] = range;
  return ranges;
}

/** Cuts `[0, extent)` into `parts` near-equal ranges; the k-th is `[floor(k·extent/parts), floor((k+1)·extent/parts))`. */
export function cut(extent: number, parts: number): readonly Range[] {
  const edge = (k: number) => Math.floor((k * extent) / parts);
  return Array.from({ length: parts }, (_, k): Range => [edge(k), edge(k + 1)]);
}

/** A box as people read it: `n0:64 c0:6 y0:14 x14:28`. */
export function formatBox(box: Box): string {
  return box.map((range, axis) => `${'ncyx'[axis]}${range[0]}:${range[1]}`).join(' ');
}
