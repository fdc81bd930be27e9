/**
 * Direct convolution at stride 1 over planes with their halo: forward, and the input gradient with mirrored weights.
 *
 * A tile is four channels x 8 pixels: two vectors of 4 pixels, side by side in one row, or one below the other where a row has an odd
 * number of vectors. A row's last vector overlaps the one before it, so that nothing beyond the row is read or written;
 * its pixels are computed twice, with the same bits. Rows narrower than a vector are gathered pixel by pixel.
 */

import { Convolve, FIELDS, ONE, THREE } from './convolve-block';
import { convolveNarrow } from './convolve-narrow';
import { tile1x1, tileAny } from './convolve-tile';
import { tile3x3 } from './convolve-tile-3x3';
import { rowOf, viewOf } from './view';

/** Block: source, target, {@link Convolve}, then the byte offset of each tap. */
export function convolve(block: usize): void {
  const target = viewOf(block, 1);
  if (target.columns < 4) {
    convolveNarrow(block);
    return;
  }
  const strip = changetype<Convolve>(block + FIELDS).stripRows;
  for (let n: usize = 0; n < target.samples; n++) {
    for (let y: usize = 0; y < target.rows; y += strip) {
      const end = min(y + strip, target.rows);
      for (let channel: usize = 0; channel < target.channels; channel += 4) convolveStrip(block, n, channel, y, end);
    }
  }
}

function convolveStrip(block: usize, n: usize, channel: usize, start: usize, end: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const vectors = (target.columns + 3) >> 2;
  const last = (target.columns - 4) << 2;
  for (let y = start; y < end; y++) {
    const from = rowOf(source, n, 0, y);
    const to = rowOf(target, n, channel, y);
    for (let v: usize = 1; v < vectors; v += 2) {
      const x = (v - 1) << 4;
      const step = min(x + 16, last) - x;
      tile(block, channel, from + x, step, to + x, step);
    }
    if (vectors & 1 && !((y - start) & 1)) {
      const paired = y + 1 < end;
      tile(block, channel, from + last, paired ? source.row : 0, to + last, paired ? target.row : 0);
    }
  }
}

function tile(block: usize, channel: usize, from: usize, sourceStep: usize, to: usize, targetStep: usize): void {
  const kind = changetype<Convolve>(block + FIELDS).tile;
  if (kind == THREE) tile3x3(block, channel, from, sourceStep, to, targetStep);
  else if (kind == ONE) tile1x1(block, channel, from, sourceStep, to, targetStep);
  else tileAny(block, channel, from, sourceStep, to, targetStep);
}
