/**
 * Convolution to rows of one to three pixels: any four pixels of the target, of whichever rows and samples, make a vector; the last
 * one stands in for those that are missing.
 */

import { blockRows } from './convolve-block';
import { pixelOf } from './convolve-pixels';
import { gather4, gather6 } from './generated/gather';
import { viewOf } from './view';

/** Block: as for convolve. */
export function convolveNarrow(block: usize): void {
  const target = viewOf(block, 1);
  for (let channel: usize = 0; channel < target.channels; ) {
    const rows = blockRows(channel, target.channels - channel);
    convolveRows(block, channel, rows);
    channel += rows;
  }
}

function convolveRows(block: usize, channel: usize, rows: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const count = target.samples * target.rows * target.columns;
  for (let pixel: usize = 0; pixel < count; pixel += 4) {
    const p0 = pixelOf(source, target, pixel);
    const p1 = pixelOf(source, target, min(pixel + 1, count - 1));
    const p2 = pixelOf(source, target, min(pixel + 2, count - 1));
    const p3 = pixelOf(source, target, min(pixel + 3, count - 1));
    if (rows == 6) gather6(block, channel, p0, p1, p2, p3, pixel);
    else gather4(block, channel, p0, p1, p2, p3, pixel);
  }
}
