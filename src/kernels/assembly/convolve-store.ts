/** How the tiles of a convolution end: bias, activation, store. */

import { activate } from './vector';

/** Stores one vector of each half of a tile's row. */
@inline
export function storeSingles(to: usize, step: usize, bias: f32, slope: f32, a: v128, b: v128): void {
  const add = f32x4.splat(bias);
  v128.store(to, activate(f32x4.add(a, add), slope));
  v128.store(to + step, activate(f32x4.add(b, add), slope));
}

/**
 * Stores two vectors of each half of a tile's row. Engines pair stores side by side and what leads to them, but no selections, so
 * activations come afterwards.
 */
@inline
export function storePairs(to: usize, step: usize, bias: f32, slope: f32, a: v128, b: v128, c: v128, d: v128): void {
  const add = f32x4.splat(bias);
  const next = to + step;
  v128.store(to, f32x4.add(a, add));
  v128.store(to, f32x4.add(b, add), 16);
  v128.store(next, f32x4.add(c, add));
  v128.store(next, f32x4.add(d, add), 16);
  if (slope != 1) activatePairs(to, next, slope);
}

@inline
function activatePairs(to: usize, next: usize, slope: f32): void {
  const a = activate(v128.load(to), slope);
  const b = activate(v128.load(to, 16), slope);
  const c = activate(v128.load(next), slope);
  const d = activate(v128.load(next, 16), slope);
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(next, c);
  v128.store(next, d, 16);
}

/** Stores pixels that lie side by side in twos. */
@inline
export function storeTwos(to: usize, step: usize, bias: f32, slope: f32, a: v128, b: v128): void {
  const add = f32x4.splat(bias);
  const first = activate(f32x4.add(a, add), slope);
  const second = activate(f32x4.add(b, add), slope);
  v128.store_lane<i64>(to, first, 0);
  v128.store_lane<i64>(to + step, first, 1);
  v128.store_lane<i64>(to + 2 * step, second, 0);
  v128.store_lane<i64>(to + 3 * step, second, 1);
}

/** Stores pixels that lie alone. */
@inline
export function storeAlone(to: usize, step: usize, bias: f32, slope: f32, a: v128, b: v128): void {
  const add = f32x4.splat(bias);
  storeLanes(to, step, activate(f32x4.add(a, add), slope));
  storeLanes(to + 4 * step, step, activate(f32x4.add(b, add), slope));
}

@inline
function storeLanes(to: usize, step: usize, v: v128): void {
  v128.store_lane<i32>(to, v, 0);
  v128.store_lane<i32>(to + step, v, 1);
  v128.store_lane<i32>(to + 2 * step, v, 2);
  v128.store_lane<i32>(to + 3 * step, v, 3);
}
