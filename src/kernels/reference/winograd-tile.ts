/** The pixels of one tile of Winograd's F(4x4, 3x3), transformed. */

import type { Extent } from '../../tensor/box.ts';
import { TILE_EXTENT, WINOGRAD_KERNEL } from '../../tensor/winograd.ts';
import type { View } from '../../tensor/view.ts';
import { at, read, type Memory } from './memory.ts';
import { INPUT, POINT_COUNT, onBothAxes, square, type Matrix } from './winograd-matrices.ts';

/** Sample, first row and column of a tile's outputs. */
export type Corner = readonly [n: number, y: number, x: number];

/** Every tile of outputs of such an extent. */
export function* tileCorners([samples, , height, width]: Extent): Generator<Corner> {
  for (let n = 0; n < samples; n++) {
    for (let y = 0; y < height; y += TILE_EXTENT) {
      for (let x = 0; x < width; x += TILE_EXTENT) yield [n, y, x];
    }
  }
}

/** Bᵀ d B of a tile of one channel; pixels that no output looks at are zeros. @param outputs extent of all outputs */
export function inputTile(
  memory: Memory,
  source: View,
  [, , height, width]: Extent,
  [n, y, x, channel]: readonly [...Corner, channel: number],
): Matrix {
  const halo = WINOGRAD_KERNEL - 1;
  const pixels = square(POINT_COUNT, (v, u) => {
    const inside = y + v < height + halo && x + u < width + halo;
    return inside ? read(memory, at(source, [n, channel, y + v, x + u])) : 0;
  });
  return onBothAxes(INPUT, pixels);
}
