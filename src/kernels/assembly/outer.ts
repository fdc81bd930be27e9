/**
 * The register tile of sums over samples or outputs: four rows of eight values, row_j[i] = sum over k of a_j[k] * b[k][i].
 * At most 128 terms are added in float32; longer sums go on in float64.
 */

/** Terms that a float32 sum may have. */
export const CHUNK_TERMS: usize = 128;

/** Bytes of the float64 sums of one tile. */
export const TILE_BYTES: usize = 256;

/** How the factors of a sum lie: bytes between terms. */
@unmanaged
export class Terms {
  count: usize;
  aStride: usize;
  bStride: usize;
  /** Bytes from the first four values of a row to the last four. */
  step: usize;
  /** Where longer sums are kept. */
  sums: usize;
}

/** Stores four rows of two vectors at `to`, `to1`, `to2`, `to3`; rows may coincide. */
export function outer(
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  b: usize,
  terms: Terms,
  to: usize,
  to1: usize,
  to2: usize,
  to3: usize,
): void {
  const whole = terms.count <= CHUNK_TERMS;
  const step = terms.step;
  if (!whole) memory.fill(terms.sums, 0, TILE_BYTES);
  for (let k: usize = 0; k < terms.count; k += CHUNK_TERMS) {
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    let t0 = f32x4.splat(0);
    let t1 = f32x4.splat(0);
    let t2 = f32x4.splat(0);
    let t3 = f32x4.splat(0);
    for (let left = min(terms.count - k, CHUNK_TERMS); left != 0; left--) {
      const s = v128.load(b);
      const t = v128.load(b + step);
      const g0 = v128.load32_splat(a0);
      s0 = f32x4.add(s0, f32x4.mul(s, g0));
      t0 = f32x4.add(t0, f32x4.mul(t, g0));
      const g1 = v128.load32_splat(a1);
      s1 = f32x4.add(s1, f32x4.mul(s, g1));
      t1 = f32x4.add(t1, f32x4.mul(t, g1));
      const g2 = v128.load32_splat(a2);
      s2 = f32x4.add(s2, f32x4.mul(s, g2));
      t2 = f32x4.add(t2, f32x4.mul(t, g2));
      const g3 = v128.load32_splat(a3);
      s3 = f32x4.add(s3, f32x4.mul(s, g3));
      t3 = f32x4.add(t3, f32x4.mul(t, g3));
      a0 += terms.aStride;
      a1 += terms.aStride;
      a2 += terms.aStride;
      a3 += terms.aStride;
      b += terms.bStride;
    }
    if (whole) {
      storeRow(to, step, s0, t0);
      storeRow(to1, step, s1, t1);
      storeRow(to2, step, s2, t2);
      storeRow(to3, step, s3, t3);
    } else {
      addRow(terms.sums, s0, t0);
      addRow(terms.sums + 64, s1, t1);
      addRow(terms.sums + 128, s2, t2);
      addRow(terms.sums + 192, s3, t3);
    }
  }
  if (whole) return;
  roundRow(terms.sums, to, step);
  roundRow(terms.sums + 64, to1, step);
  roundRow(terms.sums + 128, to2, step);
  roundRow(terms.sums + 192, to3, step);
}

function storeRow(to: usize, step: usize, s: v128, t: v128): void {
  v128.store(to, s);
  v128.store(to + step, t);
}

/** Adds eight float32 sums to eight float64 ones. */
function addRow(sums: usize, s: v128, t: v128): void {
  addVector(sums, s);
  addVector(sums + 32, t);
}

function addVector(sums: usize, v: v128): void {
  const high = v128.shuffle<i32>(v, v, 2, 3, 2, 3);
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(v)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.promote_low_f32x4(high)), 16);
}

function roundRow(sums: usize, to: usize, step: usize): void {
  v128.store(to, rounded(sums));
  v128.store(to + step, rounded(sums + 32));
}

function rounded(sums: usize): v128 {
  const low = f32x4.demote_f64x2_zero(v128.load(sums));
  const high = f32x4.demote_f64x2_zero(v128.load(sums, 16));
  return v128.shuffle<i32>(low, high, 0, 1, 4, 5);
}
