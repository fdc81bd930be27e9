/** Dot products: how the lanes of a tile (generated/dots.ts) end up in float64. */

import { sumOfLanes } from './vector';

export { dots4x2 as dots } from './generated/dots';

/** Vectors of four terms that a float32 lane partial may cover: 512 terms. */
export const CHUNK_VECTORS: usize = 128;

/** Bytes of the float64 sums of four rows times two. */
export const SUMS_BYTES: usize = 64;

/** Adds the lanes of one vector to a float64. */
@inline
export function addOne(sum: usize, lanes: v128): void {
  store<f64>(sum, load<f64>(sum) + sumOfLanes(lanes));
}

/** The same for two, one beside the other, with the bits of {@link addOne}. */
@inline
export function addTwo(sums: usize, a: v128, b: v128): void {
  const p = sumOfHalves(a);
  const q = sumOfHalves(b);
  const sum = f64x2.add(v128.shuffle<i64>(p, q, 0, 2), v128.shuffle<i64>(p, q, 1, 3));
  v128.store(sums, f64x2.add(v128.load(sums), sum));
}

/** Lanes 0 + 2 and 1 + 3. */
@inline
function sumOfHalves(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3)));
}
