/** Reading and writing: copies of values out of the arena and into it, in n, c, y, x order. */

import type { Normalization } from '../program/options.ts';
import { extentOf, volume, type Box } from '../tensor/box.ts';
import { contiguous, type View } from '../tensor/view.ts';

/** Visits the byte offset of every element of a view, in n, c, y, x order. */
function* offsets({ offset, extent, strides }: View): Generator<readonly [offset: number, channel: number]> {
  for (let n = 0; n < extent[0]; n++)
    for (let c = 0; c < extent[1]; c++)
      for (let y = 0; y < extent[2]; y++)
        for (let x = 0; x < extent[3]; x++)
          yield [offset + n * strides[0] + c * strides[1] + y * strides[2] + x * strides[3], c];
}

/** A copy of a float32 view. */
export function readView(memory: Uint8Array, view: View): Float32Array {
  const floats = new Float32Array(memory.buffer, memory.byteOffset);
  return Float32Array.from(offsets(view), ([offset]) => floats[offset / 4]!);
}

/** Writes a float32 view. @param values in n, c, y, x order */
export function writeView(memory: Uint8Array, view: View, values: Float32Array): void {
  const floats = new Float32Array(memory.buffer, memory.byteOffset);
  let i = 0;
  for (const [offset] of offsets(view)) floats[offset / 4] = values[i++]!;
}

/** A copy of staged images, normalised: unsigned bytes at `address`, the box's own shape. */
export function readPixels(
  memory: Uint8Array,
  address: number,
  box: Box,
  { mean, deviation }: Normalization,
): Float32Array {
  if (volume(box) === 0) return new Float32Array();
  return Float32Array.from(offsets(contiguous(address, extentOf(box), 1)), ([offset, c]) => {
    return (memory[offset]! / 255 - (mean[c] ?? 0)) / (deviation[c] ?? 1);
  });
}
