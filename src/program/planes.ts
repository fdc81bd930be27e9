/**
 * Planes: how an activation or its gradient is stored. Each channel of each sample is a plane of rows with a border around it:
 *
 *     0 0 0 0 0 0    top rows                 The border holds zeros: padding at the image's edge, cells
 *     0 a a a a 0    left, the box, right     that a neighbour owns in a partial gradient, and what a whole
 *     0 a a a a 0                             vector reads beyond the end of a row.
 *     0 0 0 0 0 0    bottom rows
 */

import { windowReach, type Conv2d } from '../model/layers.ts';
import { windowRange } from '../planner/receptive.ts';
import { extentOf, length, type Box } from '../tensor/box.ts';
import { FLOAT_BYTES, contiguous, type Border, type View } from '../tensor/view.ts';

/** A box of a tensor in its storage. */
export interface Stored {
  readonly box: Box;
  readonly view: View;
  readonly border: Border;
}

/** Kernels read rows in vectors of this many floats. */
const VECTOR = 4;

export const NO_BORDER: Border = { top: 0, bottom: 0, left: 0, right: 0 };

export function roundUpToVector(pixels: number): number {
  return Math.ceil(pixels / VECTOR) * VECTOR;
}

/** Bytes of one row, one plane and the whole of a bordered box. Plane strides that are multiples of 4 KiB meet in the same cache sets, so those get 64 B more. */
function planeLayout(box: Box, border: Border): { row: number; plane: number; bytes: number } {
  const row = (border.left + length(box[3]) + border.right) * FLOAT_BYTES;
  const rows = border.top + length(box[2]) + border.bottom;
  const tight = Math.ceil((rows * row) / 16) * 16;
  const plane = tight % 4096 === 0 ? tight + 64 : tight;
  return { row, plane, bytes: plane * length(box[0]) * length(box[1]) };
}

/** Bytes that {@link storePlanes} needs. */
export function planesBytes(box: Box, border: Border): number {
  return planeLayout(box, border).bytes;
}

/** Storage of a box as bordered planes at an address. */
export function storePlanes(address: number, box: Box, border: Border): Stored {
  const { row, plane } = planeLayout(box, border);
  const offset = address + border.top * row + border.left * FLOAT_BYTES;
  const strides = [length(box[1]) * plane, plane, row, FLOAT_BYTES] as const;
  return { box, view: { offset, extent: extentOf(box), strides }, border };
}

/** Storage of vectors (rows = columns = 1), one after another. */
export function storeVectors(address: number, box: Box): Stored {
  return { box, view: contiguous(address, extentOf(box)), border: NO_BORDER };
}

/**
 * Border of a convolution's input: cells outside the image that its windows look at, and what vectors of the weight
 * gradient read beyond a row. Only for stride 1; other strides read a split copy.
 */
export function inputBorder(convolution: Conv2d, input: Box, output: Box): Border {
  if (convolution.stride !== 1) return NO_BORDER;
  const rows = windowRange(convolution, output[2]);
  const start = output[3][0] - convolution.padding;
  const end = start + roundUpToVector(length(output[3])) + windowReach(convolution) - 1;
  return {
    top: Math.max(0, input[2][0] - rows[0]),
    bottom: Math.max(0, rows[1] - input[2][1]),
    left: Math.max(0, input[3][0] - start),
    right: Math.max(0, end - input[3][1]),
  };
}

/**
 * Border of the gradient of a convolution's output: cells that the input gradient asks for and this device does not own,
 * and zeros up to a whole vector after each row.
 * @param input the box whose gradient is wanted, or undefined when none is
 */
export function gradientBorder(convolution: Conv2d, input: Box | undefined, output: Box): Border {
  const slack = roundUpToVector(length(output[3])) - length(output[3]);
  if (!input) return { ...NO_BORDER, right: slack };
  const { stride, padding } = convolution;
  // Input cell i takes part in outputs (i + padding - t·dilation) / stride for the taps t that divide evenly.
  const first = (i: number) => Math.floor((i + padding - (windowReach(convolution) - 1)) / stride);
  const last = (i: number) => Math.floor((i + padding) / stride) + 1;
  return {
    top: Math.max(0, output[2][0] - first(input[2][0])),
    bottom: Math.max(0, last(input[2][1] - 1) - output[2][1]),
    left: Math.max(0, output[3][0] - first(input[3][0])),
    right: Math.max(slack, last(input[3][1] - 1) - output[3][1]),
  };
}

/** Address of the pixel at global row and column, in the border or not, of the first stored sample and channel. */
export function pixelAddress(stored: Stored, row: number, column: number): number {
  const [, , y, x] = stored.box;
  return stored.view.offset + (row - y[0]) * stored.view.strides[2] + (column - x[0]) * stored.view.strides[3];
}

/** The bytes that a stored box occupies, border included. */
export function storedBytes({ view, border, box }: Stored): { readonly offset: number; readonly bytes: number } {
  const offset = view.offset - border.top * view.strides[2] - border.left * FLOAT_BYTES;
  return { offset, bytes: planesBytes(box, border) };
}
