/**
 * Exponential and logarithm in float64 with polynomials only: the same bits on every CPU, and no tables, so that kernels bring no data of
 * their own into an arena. Method and coefficients are those of fdlibm (e_exp.c, e_log.c; Sun Microsystems, 1993); errors
 * stay under one unit in the last place.
 */

/** ln 2 in two parts: the first has so many trailing zeros that its multiples by small integers are exact. */
const LN2_HIGH: f64 = 6.93147180369123816490e-1;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** e^x. Results under 2^-1022 are 0. */
export function exp(x: f64): f64 {
  if (x != x) return x;
  if (x > 709) return Infinity;
  if (x < -708) return 0;
  const k = nearest(x * 1.44269504088896338700);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  const t = r * r;
  const p = t * (-1.65339022054652515390e-6 + t * 4.13813679705723846039e-8);
  const q = t * (-2.77777777770155933842e-3 + t * (6.61375632143793436117e-5 + p));
  const c = r - t * (1.66666666666666019037e-1 + q);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  return y * reinterpret<f64>(<u64>(<i64>k + 1023) << 52);
}

/** Natural logarithm of a number of at least 2^-1022, or of infinity or NaN. */
export function log(x: f64): f64 {
  if (x - x != 0) return x;
  // x = 2^k * (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2): 0x3fe6a09e is the upper half of sqrt(1/2).
  const shifted = reinterpret<u64>(x) + (<u64>(0x3ff00000 - 0x3fe6a09e) << 32);
  const k = <f64>(<i32>(shifted >> 52) - 0x3ff);
  const f = reinterpret<f64>((shifted & 0x000fffffffffffff) + (<u64>0x3fe6a09e << 32)) - 1;
  const half = 0.5 * f * f;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const odd = w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1);
  const r = even + z * (6.666666666666735130e-1 + w * 2.857142874366239149e-1 + w * odd);
  return k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
}
