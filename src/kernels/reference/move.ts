/** Moving values: clearing, copying, adding, packing messages, turning pixels into floats. */

import type { AddCall, ClearBorderCall, CopyCall, PackCall, PixelsCall, ZeroCall } from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import { at, positions, read, write, type Memory } from './memory.ts';

/** See {@link ZeroCall}. */
export function zero(memory: Memory, call: ZeroCall): void {
  memory.bytes.fill(0, call.offset, call.offset + call.bytes);
}

/** See {@link ClearBorderCall}. */
export function clearBorder(memory: Memory, { view, border }: ClearBorderCall): void {
  const [samples, channels, rows, columns] = view.extent;
  for (let n = 0; n < samples; n++) {
    for (let c = 0; c < channels; c++) {
      for (let y = -border.top; y < rows + border.bottom; y++) {
        for (let x = -border.left; x < columns + border.right; x++) {
          const inside = y >= 0 && y < rows && x >= 0 && x < columns;
          if (!inside) write(memory, at(view, [n, c, y, x]), 0);
        }
      }
    }
  }
}

/** See {@link CopyCall}. Bits are kept, whatever they mean. */
export function copy(memory: Memory, { source, target }: CopyCall): void {
  for (const p of positions(target)) {
    memory.integers[at(target, p) / FLOAT_BYTES] = memory.integers[at(source, p) / FLOAT_BYTES]!;
  }
}

/** See {@link AddCall}. */
export function add(memory: Memory, { source, target }: AddCall): void {
  for (const p of positions(target)) {
    write(memory, at(target, p), read(memory, at(target, p)) + read(memory, at(source, p)));
  }
}

/** See {@link PackCall}. */
export function pack(memory: Memory, call: PackCall): void {
  let byte = call.start;
  for (const p of positions(call.source)) {
    const target = call.offset + byte + Math.floor(byte / call.chunkBytes) * call.gapBytes;
    memory.integers[target / FLOAT_BYTES] = memory.integers[at(call.source, p) / FLOAT_BYTES]!;
    byte += FLOAT_BYTES;
  }
}

/** See {@link PixelsCall}. */
export function pixels(memory: Memory, { source, target, mean, deviation }: PixelsCall): void {
  for (const p of positions(target)) {
    write(memory, at(target, p), (memory.bytes[at(source, p)]! / 255 - mean) / deviation);
  }
}
