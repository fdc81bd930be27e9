/**
 * Chunks of a weight gradient: gradient planes, packed for one pass over all (input channel, tap) pairs. Packed planes are as dense as
 * the source is, so that a whole stretch of rows is walked as one, with zeros where the source has its border:
 *
 *     gradient rows   g g g g          source rows   s s s s s s       packed plane   g g g g 0 0 g g g g 0 0 ...
 *                     g g g g                        s s s s s s
 */

import { View, rowOf } from './view';

/** What a register tile (generated/gradients.ts) walks over: `rows` stretches of `vectors` vectors each, across samples. */
@unmanaged
export class Chunk {
  rows: usize;
  vectors: usize;
  /** Position of the first stretch in its sample, and stretches of a sample. */
  y: usize;
  height: usize;
  /** Bytes in the source from behind a stretch to the next one, and from behind a sample's last one to the next sample's first. */
  rowJump: usize;
  sampleJump: usize;
  /** Where in the source each pair lies, in bytes, for as many pairs as whole tiles have. */
  offsets: usize;
  offsetsEnd: usize;
  /** Float64 sums: for each pair those of the planes of a tile. */
  sums: usize;
  /** Gradients of the next chunk's first plane, of which so many bytes are read ahead with each tile; bytes between planes, and planes but one. */
  ahead: usize;
  aheadEnd: usize;
  aheadStep: usize;
  plane: usize;
  last: usize;
  /** What a wide tile folds its lanes in. */
  working: usize;
}

/** Pixels of a stretch: `first` to `end` of the plane are wanted, what is packed begins at `from`. */
@unmanaged
export class Stretch {
  from: usize;
  first: usize;
  end: usize;
  /** Rows of the gradient in a stretch's plane, and the pixels from one to the next: those of the source. */
  rows: usize;
  distance: usize;
}

/** Packs rows of one gradient channel, of which the first begins at `from`: whole vectors, because zeros follow each row. */
export function packRows(to: usize, from: usize, gradient: View, chunk: Chunk): void {
  const bytes = chunk.vectors << 4;
  const rowJump = gradient.row - bytes;
  const sampleJump = gradient.sample - (chunk.height - 1) * gradient.row - bytes;
  let y = chunk.y;
  for (let row = chunk.rows; row != 0; row--) {
    for (const end = to + bytes; to != end; to += 16, from += 16) v128.store(to, v128.load(from));
    y++;
    const wrap = y == chunk.height;
    if (wrap) y = 0;
    from += wrap ? sampleJump : rowJump;
  }
}

/** Packs stretches of one gradient channel, each a plane of rows, of which the first begins at `from`. */
export function packPlanes(to: usize, from: usize, gradient: View, stretch: Stretch, chunk: Chunk): void {
  for (let row = chunk.rows; row != 0; row--, from += gradient.sample) {
    packPlane(to, from, gradient, stretch);
    to += chunk.vectors << 4;
  }
}

/** Rows of the gradient, and zeros before, between and behind them. */
function packPlane(to: usize, from: usize, gradient: View, stretch: Stretch): void {
  const end = stretch.end;
  let x = stretch.first;
  let y = x / stretch.distance;
  to = zeros(to, x - stretch.from);
  while (x < end) {
    const start = y * stretch.distance;
    const valuesEnd = min(start + gradient.columns, end);
    if (x < valuesEnd) {
      to = copyPixels(to, from + y * gradient.row + ((x - start) << 2), valuesEnd - x);
      x = valuesEnd;
    }
    y++;
    const next = y < stretch.rows ? min(start + stretch.distance, end) : end;
    to = zeros(to, next - x);
    x = next;
  }
}

@inline
function zeros(to: usize, pixels: usize): usize {
  for (; pixels != 0; pixels--, to += 4) store<f32>(to, 0);
  return to;
}

/** Copies whole vectors, the last one over the one before it. @returns the address behind the copy */
@inline
function copyPixels(to: usize, from: usize, pixels: usize): usize {
  const end = to + (pixels << 2);
  if (pixels < 4) {
    for (; to != end; to += 4, from += 4) store<f32>(to, load<f32>(from));
    return end;
  }
  const last = from + (pixels << 2) - 16;
  for (; to + 64 <= end; to += 64, from += 64) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    v128.store(to, v128.load(from, 32), 32);
    v128.store(to, v128.load(from, 48), 48);
  }
  for (; to + 16 <= end; to += 16, from += 16) v128.store(to, v128.load(from));
  v128.store(end - 16, v128.load(last));
  return end;
}
