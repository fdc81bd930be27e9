/** Views: where a dense four-axis box of values lies in an arena. All offsets and strides are in bytes. */

import { extentOf, type Box, type Extent } from './box.ts';

/** Bytes of one float32, the only type of activations, gradients and parameters. */
export const FLOAT_BYTES = 4;

/** Byte distance to the next sample, channel plane, row and pixel. */
export type Strides = readonly [sample: number, plane: number, row: number, pixel: number];

/**
 * A box of values in an arena: element (n, c, y, x), counted from the box's own corner, lies at
 * `offset + n·strides[0] + c·strides[1] + y·strides[2] + x·strides[3]`.
 */
export interface View {
  readonly offset: number;
  readonly extent: Extent;
  readonly strides: Strides;
}

/** Cells around the inside of each stored plane: a border for padding and for reads of whole vectors. */
export interface Border {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * The view of a densely packed box, as messages carry it.
 * @param elementBytes size of one value: 4 for float32, 1 for raw pixels
 */
export function contiguous(offset: number, extent: Extent, elementBytes = FLOAT_BYTES): View {
  const [, c, h, w] = extent;
  return {
    offset,
    extent,
    strides: [c * h * w * elementBytes, h * w * elementBytes, w * elementBytes, elementBytes],
  };
}

/**
 * The part of a view that covers `part`.
 * @param view storage of the whole of `box`
 * @param box the view's box, in global coordinates
 * @param part a box inside `box`, in the same coordinates
 */
export function slice(view: View, box: Box, part: Box): View {
  const offset = part.reduce((sum, range, axis) => sum + (range[0] - box[axis]![0]) * view.strides[axis]!, view.offset);
  return { offset, extent: extentOf(part), strides: view.strides };
}

/** How many values a sample of a view has. */
export function valuesOf({ extent }: View): number {
  return extent[1] * extent[2] * extent[3];
}
