/** Max pooling over square windows, clipped to the source, and its gradient. */

import { View, VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class Window {
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

/** Returns how many outputs of the row were computed: four at a time, as long as eight source pixels are left. */
function poolPairs(source: View, target: View, window: Window, n: usize, c: usize, y: usize): usize {
  const top = <usize>(window.originY + <i32>y * 2);
  const origin = <usize>window.originX;
  let from = rowOf(source, n, c, top) + (origin << 2);
  let to = rowOf(target, n, c, y);
  let x: usize = 0;
  for (; x + 4 <= target.columns && origin + 2 * x + 8 <= source.columns; x += 4, from += 32, to += 16) {
    const below = from + source.row;
    const a = f32x4.max(v128.load(from), v128.load(below));
    const b = f32x4.max(v128.load(from, 16), v128.load(below, 16));
    const even = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
    const odd = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
    v128.store(to, f32x4.max(even, odd));
  }
  return x;
}

/** Byte offset in its plane of a cell that is counted row by row. */
function cellOf(view: View, index: usize): usize {
  return (index / view.columns) * view.row + (index % view.columns) * view.pixel;
}

/** The first maximum, counted row by row, of a window in the plane of `source` at `plane`; a NaN is larger than any number. */
function maximumOf(source: View, window: Window, plane: usize, row: usize, column: usize): usize {
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

/** Block: source, target gradient, source gradient, {@link Window}. Windows are taken in row-major order, so sums have one order. */
export function maxPoolBackward(block: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const result = viewOf(block, 2);
  for (let n: usize = 0; n < result.samples; n++) {
    for (let c: usize = 0; c < result.channels; c++) {
      clearPlane(result, n, c);
      spreadPlane(source, gradient, result, changetype<Window>(block + 3 * VIEW_BYTES), n, c);
    }
  }
}

function clearPlane(view: View, n: usize, c: usize): void {
  for (let y: usize = 0; y < view.rows; y++) {
    let at = rowOf(view, n, c, y);
    for (let x = view.columns; x != 0; x--, at += view.pixel) store<f32>(at, 0);
  }
}

function spreadPlane(source: View, gradient: View, result: View, window: Window, n: usize, c: usize): void {
  const plane = rowOf(source, n, c, 0);
  const origin = rowOf(result, n, c, 0);
  for (let y: usize = 0; y < gradient.rows; y++) {
    let from = rowOf(gradient, n, c, y);
    for (let x: usize = 0; x < gradient.columns; x++, from += gradient.pixel) {
      const at = origin + cellOf(result, maximumOf(source, window, plane, y, x));
      store<f32>(at, load<f32>(at) + load<f32>(from));
    }
  }
}
