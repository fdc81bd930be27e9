/** The register tile of 3x3 kernels: as in convolve-tile.ts, with the nine taps of an input channel unrolled. */

import { Convolve, FIELDS, TAPS, storeTile, weightsOf } from './convolve-block';
import { viewOf } from './view';

/** Three rows of three taps side by side, the rows equally far apart. */
export function tile3x3(block: usize, channel: usize, from: usize, sourceStep: usize, to: usize, targetStep: usize): void {
  const fields = changetype<Convolve>(block + FIELDS);
  const chunk = fields.chunkBytes;
  const plane = viewOf(block, 0).plane;
  let p0 = from + load<usize>(block + TAPS);
  const row = load<usize>(block + TAPS + 12) - load<usize>(block + TAPS);
  let w = weightsOf(block, channel);
  const end = w + fields.weightBytes;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let t0 = f32x4.splat(0);
  let t1 = f32x4.splat(0);
  let t2 = f32x4.splat(0);
  let t3 = f32x4.splat(0);
  while (w != end) {
    const chunkEnd = min(w + chunk, end);
    let a0 = f32x4.splat(0);
    let a1 = f32x4.splat(0);
    let a2 = f32x4.splat(0);
    let a3 = f32x4.splat(0);
    let b0 = f32x4.splat(0);
    let b1 = f32x4.splat(0);
    let b2 = f32x4.splat(0);
    let b3 = f32x4.splat(0);
    while (w != chunkEnd) {
      const q0 = p0 + sourceStep;
      {
        const a = v128.load(p0);
        const b = v128.load(q0);
        const w0 = v128.load32_splat(w);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 4);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 8);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 12);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      {
        const a = v128.load(p0, 4);
        const b = v128.load(q0, 4);
        const w0 = v128.load32_splat(w, 16);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 20);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 24);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 28);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      {
        const a = v128.load(p0, 8);
        const b = v128.load(q0, 8);
        const w0 = v128.load32_splat(w, 32);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 36);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 40);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 44);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      const p1 = p0 + row;
      const q1 = p1 + sourceStep;
      {
        const a = v128.load(p1);
        const b = v128.load(q1);
        const w0 = v128.load32_splat(w, 48);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 52);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 56);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 60);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      {
        const a = v128.load(p1, 4);
        const b = v128.load(q1, 4);
        const w0 = v128.load32_splat(w, 64);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 68);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 72);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 76);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      {
        const a = v128.load(p1, 8);
        const b = v128.load(q1, 8);
        const w0 = v128.load32_splat(w, 80);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 84);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 88);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 92);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      const p2 = p1 + row;
      const q2 = p2 + sourceStep;
      {
        const a = v128.load(p2);
        const b = v128.load(q2);
        const w0 = v128.load32_splat(w, 96);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 100);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 104);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 108);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      {
        const a = v128.load(p2, 4);
        const b = v128.load(q2, 4);
        const w0 = v128.load32_splat(w, 112);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 116);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 120);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 124);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      {
        const a = v128.load(p2, 8);
        const b = v128.load(q2, 8);
        const w0 = v128.load32_splat(w, 128);
        a0 = f32x4.add(a0, f32x4.mul(a, w0));
        b0 = f32x4.add(b0, f32x4.mul(b, w0));
        const w1 = v128.load32_splat(w, 132);
        a1 = f32x4.add(a1, f32x4.mul(a, w1));
        b1 = f32x4.add(b1, f32x4.mul(b, w1));
        const w2 = v128.load32_splat(w, 136);
        a2 = f32x4.add(a2, f32x4.mul(a, w2));
        b2 = f32x4.add(b2, f32x4.mul(b, w2));
        const w3 = v128.load32_splat(w, 140);
        a3 = f32x4.add(a3, f32x4.mul(a, w3));
        b3 = f32x4.add(b3, f32x4.mul(b, w3));
      }
      p0 += plane;
      w += 144;
    }
    s0 = f32x4.add(s0, a0);
    s1 = f32x4.add(s1, a1);
    s2 = f32x4.add(s2, a2);
    s3 = f32x4.add(s3, a3);
    t0 = f32x4.add(t0, b0);
    t1 = f32x4.add(t1, b1);
    t2 = f32x4.add(t2, b2);
    t3 = f32x4.add(t3, b3);
  }
  storeTile(block, channel, to, targetStep, s0, t0, s1, t1, s2, t2, s3, t3);
}
