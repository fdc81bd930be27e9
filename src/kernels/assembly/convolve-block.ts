/** The parameter block of a convolution, and the blocks of rows of its packed weights. */

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
  /** Lists of places behind the taps. */
  listCount: usize;
}

/** Where the tiles of some rows lie (src/kernels/places.ts); then follow its places. */
@unmanaged
export class PlaceList {
  /** Rows that are filled together. */
  rows: usize;
  /** Pixels of its tiles that lie side by side. */
  beside: usize;
  /** 1 where the next list fills the rest of the same rows, else 0. */
  stays: usize;
  count: usize;
}

/** Where a tile lies: bytes from the first pixel of the first row, and from its first half, or pixels side by side, to the next. */
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

/** The first list of places. */
export function firstList(block: usize): PlaceList {
  return changetype<PlaceList>(block + TAPS + (changetype<Convolve>(block + FIELDS).tapCount << 2));
}

export function nextList(list: PlaceList): PlaceList {
  return changetype<PlaceList>(changetype<usize>(list) + offsetof<PlaceList>() + list.count * offsetof<Place>());
}

/** Bias of a channel, or 0 where there is none. */
@inline
export function biasOf(block: usize, channel: usize): f32 {
  const bias = changetype<Convolve>(block + FIELDS).bias;
  return bias == 0 ? 0 : load<f32>(bias + (channel << 2));
}
