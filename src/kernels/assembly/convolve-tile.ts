/**
 * Register tiles of the convolution: four channels of two vectors of four pixels, eight float32 sums at once. The second vectors lie
 * `sourceStep` and `targetStep` bytes from the first. Every sum runs input channel by input channel, in each one tap by tap, and begins
 * anew after each chunk of input channels; the chunks are added up in their order. Whichever tile computes a pixel, its bits are the same.
 */

import { Convolve, FIELDS, TAPS, storeTile, weightsOf } from './convolve-block';
import { viewOf } from './view';

/** Any taps: one after the other. */
export function tileAny(block: usize, channel: usize, from: usize, sourceStep: usize, to: usize, targetStep: usize): void {
  const fields = changetype<Convolve>(block + FIELDS);
  const chunk = fields.chunkBytes;
  const plane = viewOf(block, 0).plane;
  const taps = block + TAPS;
  const tapsEnd = taps + (fields.tapCount << 2);
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
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const p = from + load<usize>(tap);
        const q = p + sourceStep;
        {
          const a = v128.load(p);
          const b = v128.load(q);
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
        w += 16;
      }
      from += plane;
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

/** One tap: two input channels at a time, then the one that is left. */
export function tile1x1(block: usize, channel: usize, from: usize, sourceStep: usize, to: usize, targetStep: usize): void {
  const fields = changetype<Convolve>(block + FIELDS);
  const chunk = fields.chunkBytes;
  const plane = viewOf(block, 0).plane;
  let p = from + load<usize>(block + TAPS);
  let q = p + sourceStep;
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
    while (w + 16 < chunkEnd) {
      {
        const a = v128.load(p);
        const b = v128.load(q);
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
      p += plane;
      q += plane;
      {
        const a = v128.load(p);
        const b = v128.load(q);
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
      p += plane;
      q += plane;
      w += 32;
    }
    if (w != chunkEnd) {
      {
        const a = v128.load(p);
        const b = v128.load(q);
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
      p += plane;
      q += plane;
      w += 16;
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
