/** What the processor can do at best with f32x4 multiplications and additions: the measure of the convolution kernels. */

/** Chains that do not wait for each other: as many as sixteen registers hold beside factor, addend and product. */
const CHAINS = 13;

/** Floating-point operations of one iteration of {@link multiplyAddPeak}. */
export function multiplyAddFlops(): i32 {
  return CHAINS * 4 * 2;
}

/** Multiplies and adds in registers only. Returns the sum of all lanes, so that nothing can be left out. */
export function multiplyAddPeak(iterations: i32, factor: f32, addend: f32): f32 {
  const f = f32x4.splat(factor);
  const a = f32x4.splat(addend);
  let c0 = a;
  let c1 = f32x4.add(c0, a);
  let c2 = f32x4.add(c1, a);
  let c3 = f32x4.add(c2, a);
  let c4 = f32x4.add(c3, a);
  let c5 = f32x4.add(c4, a);
  let c6 = f32x4.add(c5, a);
  let c7 = f32x4.add(c6, a);
  let c8 = f32x4.add(c7, a);
  let c9 = f32x4.add(c8, a);
  let c10 = f32x4.add(c9, a);
  let c11 = f32x4.add(c10, a);
  let c12 = f32x4.add(c11, a);
  for (; iterations != 0; iterations--) {
    c0 = f32x4.add(f32x4.mul(c0, f), a);
    c1 = f32x4.add(f32x4.mul(c1, f), a);
    c2 = f32x4.add(f32x4.mul(c2, f), a);
    c3 = f32x4.add(f32x4.mul(c3, f), a);
    c4 = f32x4.add(f32x4.mul(c4, f), a);
    c5 = f32x4.add(f32x4.mul(c5, f), a);
    c6 = f32x4.add(f32x4.mul(c6, f), a);
    c7 = f32x4.add(f32x4.mul(c7, f), a);
    c8 = f32x4.add(f32x4.mul(c8, f), a);
    c9 = f32x4.add(f32x4.mul(c9, f), a);
    c10 = f32x4.add(f32x4.mul(c10, f), a);
    c11 = f32x4.add(f32x4.mul(c11, f), a);
    c12 = f32x4.add(f32x4.mul(c12, f), a);
  }
  let sum = f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3));
  sum = f32x4.add(sum, f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  sum = f32x4.add(sum, f32x4.add(f32x4.add(c8, c9), f32x4.add(c10, f32x4.add(c11, c12))));
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
}
