/** Max pooling over square windows, clipped to the source. */

import { View, VIEW_BYTES, rowOf, viewOf } from './view';

/** Where windows lie: as in the call. */
@unmanaged
export class Window {
  kernel: i32;
  stride: i32;
  originY: i32;
  originX: i32;
}

/** Block: source, target, {@link Window}. Windows of 2x2 at stride 2 that lie inside go four outputs at a time, all others one by one. */
export function maxPool(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const window = changetype<Window>(block + 2 * VIEW_BYTES);
  for (let n: usize = 0; n < target.samples; n++) {
    for (let c: usize = 0; c < target.channels; c++) {
      for (let y: usize = 0; y < target.rows; y++) {
        let x: usize = canPair(source, target, window, y) ? poolPairs(source, target, window, n, c, y) : 0;
        for (; x < target.columns; x++) {
          const plane = rowOf(source, n, c, 0);
          const value = load<f32>(plane + cellOf(source, maximumOf(source, window, plane, y, x)));
          store<f32>(rowOf(target, n, c, y) + x * target.pixel, value);
        }
      }
    }
  }
}

/** Whether the windows of an output row are 2x2 at stride 2 and begin inside the source. */
function canPair(source: View, target: View, window: Window, y: usize): bool {
  const top = window.originY + <i32>y * 2;
  return (
    window.kernel == 2 &&
    window.stride == 2 &&
    source.pixel == 4 &&
    target.pixel == 4 &&
    window.originX >= 0 &&
    top >= 0 &&
    top + 2 <= <i32>source.rows
  );
}

/** Returns how many outputs of the row were computed: all that lie inside, if there are four; the last four overlap those before them. */
function poolPairs(source: View, target: View, window: Window, n: usize, c: usize, y: usize): usize {
  const top = <usize>(window.originY + <i32>y * 2);
  const origin = <usize>window.originX;
  const row = rowOf(source, n, c, top) + (origin << 2);
  const to = rowOf(target, n, c, y);
  const count = origin < source.columns ? min(target.columns, (source.columns - origin) >> 1) : 0;
  let x: usize = 0;
  for (; count >= 4 && x < count; x = min(x + 4, count)) {
    const first = min(x, count - 4);
    const from = row + (first << 3);
    const below = from + source.row;
    const a = f32x4.max(v128.load(from), v128.load(below));
    const b = f32x4.max(v128.load(from, 16), v128.load(below, 16));
    const even = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
    const odd = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
    v128.store(to + (first << 2), f32x4.max(even, odd));
  }
  return x;
}

/** Byte offset in its plane of a cell that is counted row by row. */
export function cellOf(view: View, index: usize): usize {
  return (index / view.columns) * view.row + (index % view.columns) * view.pixel;
}

/** The first maximum, counted row by row, of a window in the plane of `source` at `plane`; a NaN is larger than any number. */
export function maximumOf(source: View, window: Window, plane: usize, row: usize, column: usize): usize {
  const top = window.originY + <i32>row * window.stride;
  const left = window.originX + <i32>column * window.stride;
  const bottom = min(top + window.kernel, <i32>source.rows);
  const first = max(left, 0);
  const right = min(left + window.kernel, <i32>source.columns);
  const columns = <i32>source.columns;
  let best = max(top, 0) * columns + first;
  let maximum = load<f32>(plane + cellOf(source, best));
  for (let y = max(top, 0); y < bottom; y++) {
    let at = plane + <usize>y * source.row + <usize>first * source.pixel;
    for (let x = first; x < right; x++, at += source.pixel) {
      const value = load<f32>(at);
      if (value > maximum || (value != value && maximum == maximum)) {
        maximum = value;
        best = y * columns + x;
      }
    }
  }
  return best;
}
