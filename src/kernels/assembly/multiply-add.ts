/** The multiply-add of all kernels' inner loops: rounded twice in mode strict, fused where the build has relaxed SIMD. */

/** sum + a * b. */
@inline
export function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, sum) : f32x4.add(sum, f32x4.mul(a, b));
}
