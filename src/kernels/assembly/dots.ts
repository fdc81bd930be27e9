/**
 * The register tile of sums over pixels: four rows `a` times two rows `b`, eight dot products at once. Each is four float32
 * lanes that together cover at most 512 terms, then added in float64.
 */

import { sumOfLanes } from './vector';

/** Vectors of four terms that a float32 lane partial may cover: 512 terms. */
export const CHUNK_VECTORS: usize = 128;

/** Bytes of the eight float64 sums. */
export const SUMS_BYTES: usize = 64;

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

/** sums[4 * j + i] += dot product of rows a_i and b_j; `sums` are eight float64. */
export function dots(a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, walk: Walk, sums: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let t0 = f32x4.splat(0);
  let t1 = f32x4.splat(0);
  let t2 = f32x4.splat(0);
  let t3 = f32x4.splat(0);
  let y = walk.y;
  const bytes = walk.vectors << 4;
  for (let row = walk.rows; row != 0; row--) {
    const end = b0 + (bytes & ~31);
    while (b0 != end) {
      {
        const x0 = v128.load(b0);
        const x1 = v128.load(b1);
        const g0 = v128.load(a0);
        s0 = f32x4.add(s0, f32x4.mul(g0, x0));
        t0 = f32x4.add(t0, f32x4.mul(g0, x1));
        const g1 = v128.load(a1);
        s1 = f32x4.add(s1, f32x4.mul(g1, x0));
        t1 = f32x4.add(t1, f32x4.mul(g1, x1));
        const g2 = v128.load(a2);
        s2 = f32x4.add(s2, f32x4.mul(g2, x0));
        t2 = f32x4.add(t2, f32x4.mul(g2, x1));
        const g3 = v128.load(a3);
        s3 = f32x4.add(s3, f32x4.mul(g3, x0));
        t3 = f32x4.add(t3, f32x4.mul(g3, x1));
      }
      {
        const x0 = v128.load(b0, 16);
        const x1 = v128.load(b1, 16);
        const g0 = v128.load(a0, 16);
        s0 = f32x4.add(s0, f32x4.mul(g0, x0));
        t0 = f32x4.add(t0, f32x4.mul(g0, x1));
        const g1 = v128.load(a1, 16);
        s1 = f32x4.add(s1, f32x4.mul(g1, x0));
        t1 = f32x4.add(t1, f32x4.mul(g1, x1));
        const g2 = v128.load(a2, 16);
        s2 = f32x4.add(s2, f32x4.mul(g2, x0));
        t2 = f32x4.add(t2, f32x4.mul(g2, x1));
        const g3 = v128.load(a3, 16);
        s3 = f32x4.add(s3, f32x4.mul(g3, x0));
        t3 = f32x4.add(t3, f32x4.mul(g3, x1));
      }
      b0 += 32;
      b1 += 32;
      a0 += 32;
      a1 += 32;
      a2 += 32;
      a3 += 32;
    }
    if (bytes & 16) {
      {
        const x0 = v128.load(b0);
        const x1 = v128.load(b1);
        const g0 = v128.load(a0);
        s0 = f32x4.add(s0, f32x4.mul(g0, x0));
        t0 = f32x4.add(t0, f32x4.mul(g0, x1));
        const g1 = v128.load(a1);
        s1 = f32x4.add(s1, f32x4.mul(g1, x0));
        t1 = f32x4.add(t1, f32x4.mul(g1, x1));
        const g2 = v128.load(a2);
        s2 = f32x4.add(s2, f32x4.mul(g2, x0));
        t2 = f32x4.add(t2, f32x4.mul(g2, x1));
        const g3 = v128.load(a3);
        s3 = f32x4.add(s3, f32x4.mul(g3, x0));
        t3 = f32x4.add(t3, f32x4.mul(g3, x1));
      }
    }
    y++;
    const wrap = y == walk.height;
    if (wrap) y = 0;
    const a = (wrap ? walk.aJump : walk.aRow) - (bytes & ~31);
    const b = (wrap ? walk.bJump : walk.bRow) - (bytes & ~31);
    b0 += b;
    b1 += b;
    a0 += a;
    a1 += a;
    a2 += a;
    a3 += a;
  }
  addTo(sums, s0, s1, s2, s3);
  addTo(sums + 32, t0, t1, t2, t3);
}

function addTo(sums: usize, s0: v128, s1: v128, s2: v128, s3: v128): void {
  store<f64>(sums, load<f64>(sums) + sumOfLanes(s0));
  store<f64>(sums, load<f64>(sums, 8) + sumOfLanes(s1), 8);
  store<f64>(sums, load<f64>(sums, 16) + sumOfLanes(s2), 16);
  store<f64>(sums, load<f64>(sums, 24) + sumOfLanes(s3), 24);
}
