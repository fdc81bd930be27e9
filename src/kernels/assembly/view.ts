/**
 * Views, as parameter blocks hold them. A block begins with the views of its call, one after the other; then come the fields of the
 * kernel (a class in the kernel's file), then lists of any length. All addresses, extents and strides are 32-bit and unsigned:
 * a negative stride wraps around, as addresses do.
 */

/** Bytes of one view in a block. */
export const VIEW_BYTES: usize = 36;

/** Element (n, c, y, x) lies at `offset + n * sample + c * plane + y * row + x * pixel` bytes. */
@unmanaged
export class View {
  offset: usize;
  samples: usize;
  channels: usize;
  rows: usize;
  columns: usize;
  sample: usize;
  plane: usize;
  row: usize;
  pixel: usize;
}

/** The view number `index` of a block. */
export function viewOf(block: usize, index: usize): View {
  return changetype<View>(block + index * VIEW_BYTES);
}

/** Address of the first pixel of a row. */
export function rowOf(view: View, n: usize, c: usize, y: usize): usize {
  return view.offset + n * view.sample + c * view.plane + y * view.row;
}

/** Values of one sample. */
export function lengthOf(view: View): usize {
  return view.channels * view.rows * view.columns;
}
