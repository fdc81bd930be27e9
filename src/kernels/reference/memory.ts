/** Memory: the bytes of an arena seen as the types that kernels read, and walks over its views. The machine is little-endian. */

import { FLOAT_BYTES, type View } from '../../tensor/view.ts';

/** One stretch of memory, three ways; index of floats and integers is a byte offset / 4. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly floats: Float32Array;
  readonly integers: Int32Array;
}

/** Memory over the first `bytes` bytes (a multiple of 4) of a buffer. */
export function memoryOver(buffer: ArrayBufferLike, bytes: number): Memory {
  return {
    bytes: new Uint8Array(buffer, 0, bytes),
    floats: new Float32Array(buffer, 0, bytes / FLOAT_BYTES),
    integers: new Int32Array(buffer, 0, bytes / FLOAT_BYTES),
  };
}

/** Position of an element in a view: sample, channel, row, column. */
export type Position = readonly [n: number, c: number, y: number, x: number];

/** Byte offset of an element of a view. Positions outside the extent are legal: that is how borders are reached. */
export function at(view: View, [n, c, y, x]: Position): number {
  const [sample, plane, row, pixel] = view.strides;
  return view.offset + n * sample + c * plane + y * row + x * pixel;
}

/** The float at a byte offset. */
export function read(memory: Memory, offset: number): number {
  return memory.floats[offset / FLOAT_BYTES]!;
}

/** Stores a number as float32 at a byte offset. */
export function write(memory: Memory, offset: number, value: number): void {
  memory.floats[offset / FLOAT_BYTES] = value;
}

/** Every position of a view, in n, c, y, x order. */
export function* positions(view: View): Generator<Position> {
  const [samples, channels, rows, columns] = view.extent;
  for (let n = 0; n < samples; n++) {
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) yield [n, c, y, x];
      }
    }
  }
}
