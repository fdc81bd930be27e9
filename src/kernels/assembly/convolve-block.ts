/** The parameter block of a convolution, the blocks of rows of its packed weights, and how its tiles end: bias, activation, store. */

import { activate } from './vector';
import { VIEW_BYTES } from './view';

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
  /** Pixels in each half of a tile: 4, or 8 where the engine makes one register of two vectors side by side. */
  halfPixels: usize;
  /** Bytes of the packed weights of one row (output channel), and of those of one chunk: whole input channels. */
  weightBytes: usize;
  chunkBytes: usize;
  tapCount: usize;
  /** Places of tiles in one row, and in two rows together. */
  rowPlaces: usize;
  pairPlaces: usize;
}

/** Where a tile lies: bytes from the first pixel of the row, or of the upper one of two, and from its first half to its second. */
@unmanaged
export class Place {
  source: usize;
  sourceStep: usize;
  target: usize;
  targetStep: usize;
}

export const ANY: i32 = 0;
export const ONE: i32 = 1;
export const THREE: i32 = 3;

export const FIELDS: usize = 2 * VIEW_BYTES;
export const TAPS: usize = FIELDS + offsetof<Convolve>();

/**
 * Rows of the block of packed weights, and of the tile that uses it, that begins with `row` when `left` rows are left: four; with fused
 * multiply-adds, whose tiles have registers for more, six, six and four of each sixteen, so that calls can be cut there.
 */
export function blockRows(row: usize, left: usize): usize {
  if (!ASC_FEATURE_RELAXED_SIMD) return 4;
  return left <= 4 || left == 7 || left == 8 || (row & 15) == 12 ? 4 : 6;
}

/** Address of the packed weights of the block that begins with `channel`. */
export function weightsOf(block: usize, channel: usize): usize {
  const fields = changetype<Convolve>(block + FIELDS);
  return fields.packed + channel * fields.weightBytes;
}

/** Address of the places of tiles in one row (1), in two rows (2), or behind them (3). */
export function placesOf(block: usize, rows: usize): usize {
  const fields = changetype<Convolve>(block + FIELDS);
  const before = (rows > 1 ? fields.rowPlaces : 0) + (rows > 2 ? fields.pairPlaces : 0);
  return block + TAPS + (fields.tapCount << 2) + before * offsetof<Place>();
}

/** Bias of a channel, or 0 where there is none. */
@inline
export function biasOf(block: usize, channel: usize): f32 {
  const bias = changetype<Convolve>(block + FIELDS).bias;
  return bias == 0 ? 0 : load<f32>(bias + (channel << 2));
}

/** Stores one vector of each half of a tile's row. */
@inline
export function storeSingles(to: usize, step: usize, bias: f32, slope: f32, a: v128, b: v128): void {
  const add = f32x4.splat(bias);
  v128.store(to, activate(f32x4.add(a, add), slope));
  v128.store(to + step, activate(f32x4.add(b, add), slope));
}

/**
 * Stores two vectors of each half of a tile's row. Engines pair stores side by side and what leads to them, but no selections, so
 * activations come afterwards.
 */
@inline
export function storePairs(to: usize, step: usize, bias: f32, slope: f32, a: v128, b: v128, c: v128, d: v128): void {
  const add = f32x4.splat(bias);
  const next = to + step;
  v128.store(to, f32x4.add(a, add));
  v128.store(to, f32x4.add(b, add), 16);
  v128.store(next, f32x4.add(c, add));
  v128.store(next, f32x4.add(d, add), 16);
  if (slope != 1) activatePairs(to, next, slope);
}

@inline
function activatePairs(to: usize, next: usize, slope: f32): void {
  const a = activate(v128.load(to), slope);
  const b = activate(v128.load(to, 16), slope);
  const c = activate(v128.load(next), slope);
  const d = activate(v128.load(next, 16), slope);
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(next, c);
  v128.store(next, d, 16);
}
