/**
 * The register tile of sums over pixels: four rows `a` times three rows `b`, twelve dot products at once. Each is four float32
 * lanes that together cover at most 512 terms, then added in float64.
 */

import { sumOfLanes } from './vector';

/** Vectors of four terms that a float32 lane partial may cover: 512 terms. */
export const CHUNK_VECTORS: usize = 128;

/** Bytes of the twelve float64 sums. */
export const SUMS_BYTES: usize = 96;

/** Which rows of pixels to walk, from the addresses given: `rows` rows of `vectors` vectors each, across samples. */
@unmanaged
export class Walk {
  rows: usize;
  vectors: usize;
  /** Position of the first row in its sample, and rows of a sample. */
  y: usize;
  height: usize;
  /** Bytes from a row to the next one, and from a sample's last row to the first one of the next sample. */
  aRow: usize;
  aJump: usize;
  bRow: usize;
  bJump: usize;
}

/** sums[4 * j + i] += dot product of rows a_i and b_j; `sums` are float64. */
export function dots(a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, b2: usize, walk: Walk, sums: usize): void {
  let s00 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  let s02 = f32x4.splat(0);
  let s12 = f32x4.splat(0);
  let s22 = f32x4.splat(0);
  let s32 = f32x4.splat(0);
  let y = walk.y;
  const bytes = walk.vectors << 4;
  for (let row = walk.rows; row != 0; row--) {
    const end = b0 + bytes;
    while (b0 != end) {
      const x0 = v128.load(b0);
      const x1 = v128.load(b1);
      const x2 = v128.load(b2);
      const g0 = v128.load(a0);
      s00 = f32x4.add(s00, f32x4.mul(g0, x0));
      s01 = f32x4.add(s01, f32x4.mul(g0, x1));
      s02 = f32x4.add(s02, f32x4.mul(g0, x2));
      const g1 = v128.load(a1);
      s10 = f32x4.add(s10, f32x4.mul(g1, x0));
      s11 = f32x4.add(s11, f32x4.mul(g1, x1));
      s12 = f32x4.add(s12, f32x4.mul(g1, x2));
      const g2 = v128.load(a2);
      s20 = f32x4.add(s20, f32x4.mul(g2, x0));
      s21 = f32x4.add(s21, f32x4.mul(g2, x1));
      s22 = f32x4.add(s22, f32x4.mul(g2, x2));
      const g3 = v128.load(a3);
      s30 = f32x4.add(s30, f32x4.mul(g3, x0));
      s31 = f32x4.add(s31, f32x4.mul(g3, x1));
      s32 = f32x4.add(s32, f32x4.mul(g3, x2));
      b0 += 16;
      b1 += 16;
      b2 += 16;
      a0 += 16;
      a1 += 16;
      a2 += 16;
      a3 += 16;
    }
    y++;
    const wrap = y == walk.height;
    if (wrap) y = 0;
    const a = (wrap ? walk.aJump : walk.aRow) - bytes;
    const b = (wrap ? walk.bJump : walk.bRow) - bytes;
    a0 += a;
    a1 += a;
    a2 += a;
    a3 += a;
    b0 += b;
    b1 += b;
    b2 += b;
  }
  addTo(sums, s00, s10, s20, s30);
  addTo(sums + 32, s01, s11, s21, s31);
  addTo(sums + 64, s02, s12, s22, s32);
}

function addTo(sums: usize, s0: v128, s1: v128, s2: v128, s3: v128): void {
  store<f64>(sums, load<f64>(sums) + sumOfLanes(s0));
  store<f64>(sums, load<f64>(sums, 8) + sumOfLanes(s1), 8);
  store<f64>(sums, load<f64>(sums, 16) + sumOfLanes(s2), 16);
  store<f64>(sums, load<f64>(sums, 24) + sumOfLanes(s3), 24);
}
