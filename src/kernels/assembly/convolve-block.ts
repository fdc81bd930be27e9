/** The parameter block of a convolution, and how its tiles end: bias, activation, store. */

import { activate } from './vector';
import { VIEW_BYTES, viewOf } from './view';

/** Behind source and target; then follows the byte offset of each tap. */
@unmanaged
export class Convolve {
  packed: usize;
  bias: usize;
  slope: f32;
  /** Rows of the target that are computed for all channels before the next ones: their sources stay in the cache. */
  stripRows: usize;
  /** Which tile the taps allow: {@link ANY}, {@link ONE} or {@link THREE}. */
  tile: i32;
  /** Bytes of the packed weights of four rows, and of those of one chunk: whole input channels. */
  weightBytes: usize;
  chunkBytes: usize;
  tapCount: usize;
}

export const ANY: i32 = 0;
export const ONE: i32 = 1;
export const THREE: i32 = 3;

export const FIELDS: usize = 2 * VIEW_BYTES;
export const TAPS: usize = FIELDS + offsetof<Convolve>();

/** Address of the packed weights of the four rows that begin with `channel`. */
export function weightsOf(block: usize, channel: usize): usize {
  const fields = changetype<Convolve>(block + FIELDS);
  return fields.packed + (channel >> 2) * fields.weightBytes;
}

/** Stores two vectors of each of four channels; those beyond the last channel are dropped. */
export function storeTile(
  block: usize,
  channel: usize,
  to: usize,
  step: usize,
  a0: v128,
  b0: v128,
  a1: v128,
  b1: v128,
  a2: v128,
  b2: v128,
  a3: v128,
  b3: v128,
): void {
  const target = viewOf(block, 1);
  const plane = target.plane;
  const left = target.channels - channel;
  const slope = changetype<Convolve>(block + FIELDS).slope;
  storeVectors(to, step, biasOf(block, channel), slope, a0, b0);
  if (left > 1) storeVectors(to + plane, step, biasOf(block, channel + 1), slope, a1, b1);
  if (left > 2) storeVectors(to + 2 * plane, step, biasOf(block, channel + 2), slope, a2, b2);
  if (left > 3) storeVectors(to + 3 * plane, step, biasOf(block, channel + 3), slope, a3, b3);
}

function storeVectors(to: usize, step: usize, bias: v128, slope: f32, a: v128, b: v128): void {
  v128.store(to, activate(f32x4.add(a, bias), slope));
  v128.store(to + step, activate(f32x4.add(b, bias), slope));
}

/** Four times the bias of a channel, or 0 where there is none. */
export function biasOf(block: usize, channel: usize): v128 {
  const bias = changetype<Convolve>(block + FIELDS).bias;
  return bias == 0 ? f32x4.splat(0) : v128.load32_splat(bias + (channel << 2));
}
