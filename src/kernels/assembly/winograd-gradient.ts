/**
 * Winograd's F(4x4, 3x3), gradient of outputs: each 4x4 tile dy becomes 36 values A dy Aᵀ. For each of the 36 frequencies that is a
 * matrix of tiles times sixteen output channels:
 *
 *     frequency 0:  tile 0:  channel 0, 1, ... 15       Tiles are counted along rows, through all samples. Channels beyond
 *                   tile 1:  ...                        the last one repeat it: nobody looks at what becomes of them.
 *
 * A stretch of one row of tiles at a time: A down the columns of each channel, then A along the rows, channels side by side.
 */

import { gradientColumns4, gradientColumns8, gradientRows } from './generated/winograd-gradient';
import { View, rowOf } from './view';
import { Tiles, stretchOf } from './winograd-input';

/** Output channels side by side, and bytes of them. */
export const GROUP: usize = 16;
export const GROUP_BYTES: usize = GROUP << 2;

/** Bytes of a row of pixels of a stretch of 32 tiles, and between channels: other cache sets. */
const PIXELS: usize = 512;
const PLANE: usize = 6 * PIXELS + 64;

/** Writes the values of a block of tiles of the sixteen channels from `channel` on, frequencies `toStep` bytes apart. */
export function transformGradient(gradient: View, tiles: Tiles, channel: usize, to: usize, toStep: usize): void {
  const across = (tiles.width + 3) >> 2;
  const down = (tiles.height + 3) >> 2;
  memory.fill(tiles.scratch, 0, PIXELS);
  for (let done: usize = 0; done < tiles.count; ) {
    const row = (tiles.first + done) / across;
    const column = (tiles.first + done) % across;
    const count = stretchOf(tiles, column, done);
    const y = (row % down) << 2;
    const from = rowOf(gradient, row / down, channel, y) + (column << 4);
    columnsOf(from, gradient, tiles, gradient.channels - 1 - channel, min(tiles.height - y, 4), count << 4);
    rowsOf(tiles, count, to + done * GROUP_BYTES, toStep);
    done += count;
  }
}

/** A down the columns of sixteen channels, of which those after number `last` are that one; rows beyond `rows` are zeros. */
function columnsOf(from: usize, gradient: View, tiles: Tiles, last: usize, rows: usize, bytes: usize): void {
  const zeros = tiles.scratch;
  const step = gradient.row;
  const pairs = tiles.wide ? bytes & ~31 : 0;
  let to = zeros + PIXELS;
  for (let channel: usize = 0; channel < GROUP; channel++, to += PLANE) {
    const row1 = rows > 1 ? from + step : zeros;
    const row2 = rows > 2 ? from + 2 * step : zeros;
    const row3 = rows > 3 ? from + 3 * step : zeros;
    if (pairs) gradientColumns8(from, row1, row2, row3, to, PIXELS, pairs);
    if (pairs < bytes) gradientColumns4(from + pairs, row1 + pairs, row2 + pairs, row3 + pairs, to + pairs, PIXELS, bytes - pairs);
    if (channel < last) from += gradient.plane;
  }
}

/** A along the six rows, eight channels at a time. */
function rowsOf(tiles: Tiles, count: usize, to: usize, toStep: usize): void {
  let from = tiles.scratch + PIXELS;
  for (let i = 0; i < 6; i++, from += PIXELS, to += 6 * toStep) {
    gradientRows(from, PLANE, to, toStep, count);
    gradientRows(from + 8 * PLANE, PLANE, to + 32, toStep, count);
  }
}
