/**
 * Gradient of 2x2 max pooling at stride 2: no two windows share a cell, so every cell of the source gets its value in one go. Four windows
 * that lie inside go at a time, 2 x 8 cells; others one by one, into cells that were cleared. What one four needs is inlined: at -O1 the
 * compiler would call it, which took as long again.
 */

import { Window, cellOf, maximumOf } from './pooling';
import { View, rowOf } from './view';

/** One plane of pixels side by side. */
export function unpoolPlane(
  source: View,
  gradient: View,
  result: View,
  window: Window,
  slope: f32,
  n: usize,
  c: usize,
): void {
  const rows = <i32>result.rows;
  let cleared = 0;
  for (let y: usize = 0; y < gradient.rows; y++) {
    const top = window.originY + 2 * <i32>y;
    const inside = top >= 0 && top + 2 <= rows;
    // Rows before an inside window, or those of one that is not, hold nothing but what single windows add.
    const end = inside ? top : min(top + 2, rows);
    for (; cleared < end; cleared++) clearCells(rowOf(result, n, c, cleared), result.columns);
    let x: usize = 0;
    if (inside) {
      cleared = top + 2;
      x = unpoolRow(source, gradient, result, window, slope, n, c, y);
    }
    for (; x < gradient.columns; x++) unpoolOne(source, gradient, result, window, slope, n, c, y, x);
  }
  for (; cleared < rows; cleared++) clearCells(rowOf(result, n, c, cleared), result.columns);
}

/** Two rows of the source: all windows that lie inside if there are four, zeros elsewhere. Returns the number of windows done. */
function unpoolRow(
  source: View,
  gradient: View,
  result: View,
  window: Window,
  slope: f32,
  n: usize,
  c: usize,
  y: usize,
): usize {
  const top = window.originY + 2 * <i32>y;
  const upper = rowOf(source, n, c, top);
  const to = rowOf(result, n, c, top);
  let column: usize = 0;
  let x: usize = 0;
  if (window.originX >= 0) {
    const origin = min(<usize>window.originX, source.columns);
    clearCells(to, origin);
    clearCells(to + result.row, origin);
    const from = rowOf(gradient, n, c, y);
    // Windows that lie inside; the last four overlap those before them, and get the same bits again.
    const count = min(gradient.columns, (source.columns - origin) >> 1);
    for (; count >= 4 && x < count; x = min(x + 4, count)) {
      const first = min(x, count - 4);
      const at = (origin + 2 * first) << 2;
      unpoolFour(upper + at, source.row, to + at, result.row, v128.load(from + (first << 2)), slope);
    }
    column = origin + 2 * x;
  }
  clearCells(to + (column << 2), result.columns - column);
  clearCells(to + result.row + (column << 2), result.columns - column);
  return x;
}

/** The gradients of four windows, at the first maximum of each, a NaN being larger than any number, and times the slope where it is not positive. */
@inline
function unpoolFour(from: usize, down: usize, to: usize, below: usize, gradients: v128, slope: f32): void {
  const a = v128.load(from);
  const b = v128.load(from, 16);
  const c = v128.load(from + down);
  const d = v128.load(from + down, 16);
  const first = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
  const second = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
  const third = v128.shuffle<i32>(c, d, 0, 2, 4, 6);
  const fourth = v128.shuffle<i32>(c, d, 1, 3, 5, 7);
  const isSecond = exceeds(second, first);
  let maximum = v128.bitselect(second, first, isSecond);
  const isThird = exceeds(third, maximum);
  maximum = v128.bitselect(third, maximum, isThird);
  const isFourth = exceeds(fourth, maximum);
  maximum = v128.bitselect(fourth, maximum, isFourth);
  const zero = f32x4.splat(0);
  // As if added to a cleared cell: a gradient of -0 becomes 0.
  const value = f32x4.add(zero, gradients);
  const scaled = v128.bitselect(value, f32x4.mul(value, f32x4.splat(slope)), f32x4.gt(maximum, zero));
  const notFourth = v128.andnot(scaled, isFourth);
  const notThird = v128.andnot(notFourth, isThird);
  storePairs(to, v128.andnot(notThird, isSecond), v128.and(notThird, isSecond));
  storePairs(to + below, v128.and(notFourth, isThird), v128.and(scaled, isFourth));
}

/** Where `a`, which comes later, is larger than `b`, or the first NaN. */
@inline
function exceeds(a: v128, b: v128): v128 {
  return v128.or(f32x4.gt(a, b), v128.and(f32x4.ne(a, a), f32x4.eq(b, b)));
}

/** Eight cells: even ones from `even`, odd ones from `odd`. */
@inline
function storePairs(to: usize, even: v128, odd: v128): void {
  v128.store(to, v128.shuffle<i32>(even, odd, 0, 4, 1, 5));
  v128.store(to, v128.shuffle<i32>(even, odd, 2, 6, 3, 7), 16);
}

function unpoolOne(
  source: View,
  gradient: View,
  result: View,
  window: Window,
  slope: f32,
  n: usize,
  c: usize,
  y: usize,
  x: usize,
): void {
  const plane = rowOf(source, n, c, 0);
  const best = maximumOf(source, window, plane, y, x);
  const value: f32 = <f32>0 + load<f32>(rowOf(gradient, n, c, y) + (x << 2));
  const positive = load<f32>(plane + cellOf(source, best)) > 0;
  store<f32>(rowOf(result, n, c, 0) + cellOf(result, best), positive ? value : value * slope);
}

function clearCells(at: usize, count: usize): void {
  for (; count >= 4; count -= 4, at += 16) v128.store(at, f32x4.splat(0));
  for (; count != 0; count--, at += 4) store<f32>(at, 0);
}
