/**
 * Direct convolution at stride 1 over planes with their halo: forward, and the input gradient with mirrored weights.
 *
 * A tile is four or six channels by two halves of 4 or 8 pixels; src/kernels/places.ts says where they lie. Rows
 * narrower than a vector are gathered pixel by pixel.
 */

import { Convolve, FIELDS, ONE, PlaceList, THREE, blockRows, firstList, nextList } from './convolve-block';
import { convolveNarrow } from './convolve-narrow';
import {
  any4x16,
  any4x8,
  any4x8alone,
  any4x8twos,
  any6x16,
  any6x8,
  any6x8alone,
  any6x8twos,
  one4x16,
  one4x8,
  one4x8alone,
  one4x8twos,
  one6x16,
  one6x8,
  one6x8alone,
  one6x8twos,
  three4x16,
  three4x8,
  three4x8alone,
  three4x8twos,
  three6x16,
  three6x8,
  three6x8alone,
  three6x8twos,
} from './generated/convolve';
import { rowOf, viewOf } from './view';

/** Block: source, target, {@link Convolve}, the byte offset of each tap, then lists of places. */
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

/** Rows `start` to `end` of one sample and one block of channels: as many as a list of places is for at a time, the rest with the next list. */
function convolveStrip(block: usize, n: usize, channel: usize, rows: usize, start: usize, end: usize): void {
  let list = firstList(block);
  for (let left = changetype<Convolve>(block + FIELDS).listCount; left != 0; left--) {
    const height = (end - start) / list.rows * list.rows;
    const from = rowOf(viewOf(block, 0), n, 0, start);
    const to = rowOf(viewOf(block, 1), n, channel, start);
    if (height != 0) fill(block, channel, rows, from, to, height, list);
    if (!list.stays) start += height;
    list = nextList(list);
  }
}

function fill(block: usize, channel: usize, rows: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const wide = changetype<Convolve>(block + FIELDS).halfPixels == 8;
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (rows == 6) {
      if (list.beside != 4) sixRowsRest(block, channel, from, to, height, list);
      else if (wide) sixRows16(block, channel, from, to, height, list);
      else sixRows8(block, channel, from, to, height, list);
      return;
    }
  }
  if (list.beside != 4) fourRowsRest(block, channel, from, to, height, list);
  else if (wide) fourRows16(block, channel, from, to, height, list);
  else fourRows8(block, channel, from, to, height, list);
}

function fourRows8(block: usize, channel: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three4x8(block, channel, from, to, height, list);
  else if (taps == ONE) one4x8(block, channel, from, to, height, list);
  else any4x8(block, channel, from, to, height, list);
}

function fourRows16(block: usize, channel: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three4x16(block, channel, from, to, height, list);
  else if (taps == ONE) one4x16(block, channel, from, to, height, list);
  else any4x16(block, channel, from, to, height, list);
}

function sixRows8(block: usize, channel: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three6x8(block, channel, from, to, height, list);
  else if (taps == ONE) one6x8(block, channel, from, to, height, list);
  else any6x8(block, channel, from, to, height, list);
}

function sixRows16(block: usize, channel: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (taps == THREE) three6x16(block, channel, from, to, height, list);
  else if (taps == ONE) one6x16(block, channel, from, to, height, list);
  else any6x16(block, channel, from, to, height, list);
}

/** What is left at the ends of rows. */
function fourRowsRest(block: usize, channel: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (list.beside == 2) {
    if (taps == THREE) three4x8twos(block, channel, from, to, height, list);
    else if (taps == ONE) one4x8twos(block, channel, from, to, height, list);
    else any4x8twos(block, channel, from, to, height, list);
  } else {
    if (taps == THREE) three4x8alone(block, channel, from, to, height, list);
    else if (taps == ONE) one4x8alone(block, channel, from, to, height, list);
    else any4x8alone(block, channel, from, to, height, list);
  }
}

function sixRowsRest(block: usize, channel: usize, from: usize, to: usize, height: usize, list: PlaceList): void {
  const taps = changetype<Convolve>(block + FIELDS).tile;
  if (list.beside == 2) {
    if (taps == THREE) three6x8twos(block, channel, from, to, height, list);
    else if (taps == ONE) one6x8twos(block, channel, from, to, height, list);
    else any6x8twos(block, channel, from, to, height, list);
  } else {
    if (taps == THREE) three6x8alone(block, channel, from, to, height, list);
    else if (taps == ONE) one6x8alone(block, channel, from, to, height, list);
    else any6x8alone(block, channel, from, to, height, list);
  }
}
