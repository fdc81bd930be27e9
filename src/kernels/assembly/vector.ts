/** What kernels do with a vector of four float32. */

/** The four lanes added in float64, in a fixed order: (0 + 2) + (1 + 3). */
export function sumOfLanes(v: v128): f64 {
  const low = f64x2.promote_low_f32x4(v);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
  const sum = f64x2.add(low, high);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** Identity (slope 1), ReLU (slope 0) or leaky ReLU; NaN stays NaN. */
@inline
export function activate(v: v128, slope: f32): v128 {
  if (slope == 1) return v;
  const zero = f32x4.splat(0);
  if (slope == 0) return v128.andnot(v, f32x4.le(v, zero));
  return v128.bitselect(v, f32x4.mul(v, f32x4.splat(slope)), f32x4.gt(v, zero));
}

/** The same for one value. */
export function activateOne(v: f32, slope: f32): f32 {
  return f32x4.extract_lane(activate(f32x4.splat(v), slope), 0);
}
