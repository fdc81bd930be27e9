/**
 * Direct convolution at stride 1 over planes with their halo: forward, and the input gradient with mirrored weights.
 *
 * A tile is four or six channels by two halves of 4 or 8 pixels; src/kernels/places.ts says where in a row, or in two, they lie. Rows
 * narrower than a vector are gathered pixel by pixel.
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

/** Block: source, target, {@link Convolve}, the byte offset of each tap, then places of tiles in one row and in two. */
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

/** Rows `start` to `end` of one sample and one block of channels. */
function convolveStrip(block: usize, n: usize, channel: usize, rows: usize, start: usize, end: usize): void {
  const from = rowOf(viewOf(block, 0), n, 0, start);
  const to = rowOf(viewOf(block, 1), n, channel, start);
  const wide = changetype<Convolve>(block + FIELDS).halfPixels == 8;
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (rows == 6) {
      if (wide) sixRows16(block, channel, from, to, end - start);
      else sixRows8(block, channel, from, to, end - start);
      return;
    }
  }
  if (wide) fourRows16(block, channel, from, to, end - start);
  else fourRows8(block, channel, from, to, end - start);
}

function fourRows8(block: usize, channel: usize, from: usize, to: usize, height: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three4x8(block, channel, from, to, height);
  else if (taps == ONE) one4x8(block, channel, from, to, height);
  else any4x8(block, channel, from, to, height);
}

function fourRows16(block: usize, channel: usize, from: usize, to: usize, height: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three4x16(block, channel, from, to, height);
  else if (taps == ONE) one4x16(block, channel, from, to, height);
  else any4x16(block, channel, from, to, height);
}

function sixRows8(block: usize, channel: usize, from: usize, to: usize, height: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three6x8(block, channel, from, to, height);
  else if (taps == ONE) one6x8(block, channel, from, to, height);
  else any6x8(block, channel, from, to, height);
}

function sixRows16(block: usize, channel: usize, from: usize, to: usize, height: usize): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three6x16(block, channel, from, to, height);
  else if (taps == ONE) one6x16(block, channel, from, to, height);
  else any6x16(block, channel, from, to, height);
}
