/**
 * Direct convolution at stride 1 over planes with their halo: forward, and the input gradient with mirrored weights.
 *
 * A tile is four or six channels by two halves of 4 or 8 pixels: side by side in one row, or one below the other where a row has an
 * odd number of halves. A row's last half overlaps the one before it, so that nothing beyond the row is read or written;
 * its pixels are computed twice, with the same bits. Rows narrower than a vector are gathered pixel by pixel.
 */

import { Convolve, FIELDS, ONE, THREE, blockRows } from './convolve-block';
import { convolveNarrow } from './convolve-narrow';
import {
  any4x16,
  any4x8,
  any6x16,
  any6x8,
  one4x16,
  one4x8,
  one6x16,
  one6x8,
  three4x16,
  three4x8,
  three6x16,
  three6x8,
} from './generated/convolve';
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
      for (let channel: usize = 0; channel < target.channels; ) {
        const rows = blockRows(channel, target.channels - channel);
        convolveStrip(block, n, channel, rows, y, end);
        channel += rows;
      }
    }
  }
}

function convolveStrip(block: usize, n: usize, channel: usize, rows: usize, start: usize, end: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const half: usize = target.columns < 8 ? 4 : changetype<Convolve>(block + FIELDS).halfPixels;
  const halves = (target.columns + half - 1) / half;
  const bytes = half << 2;
  const last = (target.columns - half) << 2;
  for (let y = start; y < end; y++) {
    const from = rowOf(source, n, 0, y);
    const to = rowOf(target, n, channel, y);
    for (let h: usize = 1; h < halves; h += 2) {
      const x = (h - 1) * bytes;
      const step = min(x + bytes, last) - x;
      tile(block, channel, rows, half, from + x, step, to + x, step);
    }
    if (halves & 1 && !((y - start) & 1)) {
      const paired = y + 1 < end;
      tile(block, channel, rows, half, from + last, paired ? source.row : 0, to + last, paired ? target.row : 0);
    }
  }
}

function tile(block: usize, channel: usize, rows: usize, half: usize, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (rows == 6) {
      if (half == 8) sixRows16(block, channel, from, fromStep, to, toStep);
      else sixRows8(block, channel, from, fromStep, to, toStep);
      return;
    }
  }
  if (half == 8) fourRows16(block, channel, from, fromStep, to, toStep);
  else fourRows8(block, channel, from, fromStep, to, toStep);
}

function fourRows8(block: usize, channel: usize, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three4x8(block, channel, from, fromStep, to, toStep);
  else if (taps == ONE) one4x8(block, channel, from, fromStep, to, toStep);
  else any4x8(block, channel, from, fromStep, to, toStep);
}

function fourRows16(block: usize, channel: usize, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three4x16(block, channel, from, fromStep, to, toStep);
  else if (taps == ONE) one4x16(block, channel, from, fromStep, to, toStep);
  else any4x16(block, channel, from, fromStep, to, toStep);
}

function sixRows8(block: usize, channel: usize, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three6x8(block, channel, from, fromStep, to, toStep);
  else if (taps == ONE) one6x8(block, channel, from, fromStep, to, toStep);
  else any6x8(block, channel, from, fromStep, to, toStep);
}

function sixRows16(block: usize, channel: usize, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three6x16(block, channel, from, fromStep, to, toStep);
  else if (taps == ONE) one6x16(block, channel, from, fromStep, to, toStep);
  else any6x16(block, channel, from, fromStep, to, toStep);
}
