/** Moving values: clearing, copying, adding, packing messages, turning pixels into floats. */

import { View, VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class Zero {
  offset: usize;
  bytes: usize;
}

/** Block: {@link Zero}. */
export function zero(block: usize): void {
  const fields = changetype<Zero>(block);
  memory.fill(fields.offset, 0, fields.bytes);
}

@unmanaged
class Border {
  top: usize;
  bottom: usize;
  left: usize;
  right: usize;
}

/** Block: view, {@link Border}. Pixel strides of any size. */
export function clearBorder(block: usize): void {
  const view = viewOf(block, 0);
  const border = changetype<Border>(block + VIEW_BYTES);
  const width = border.left + view.columns + border.right;
  for (let n: usize = 0; n < view.samples; n++) {
    for (let c: usize = 0; c < view.channels; c++) {
      const inside = rowOf(view, n, c, 0);
      let row = inside - border.top * view.row - border.left * view.pixel;
      for (let y: usize = 0; y < border.top; y++, row += view.row) clearPixels(row, view.pixel, width);
      for (let y: usize = 0; y < view.rows; y++, row += view.row) {
        clearPixels(row, view.pixel, border.left);
        clearPixels(row + (border.left + view.columns) * view.pixel, view.pixel, border.right);
      }
      for (let y: usize = 0; y < border.bottom; y++, row += view.row) clearPixels(row, view.pixel, width);
    }
  }
}

function clearPixels(at: usize, stride: usize, count: usize): void {
  for (; count != 0; count--, at += stride) store<f32>(at, 0);
}

/** Block: source, target. Contiguous rows go four pixels at a time, the remainder one by one. */
export function copy(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const contiguous = source.pixel == 4 && target.pixel == 4;
  for (let n: usize = 0; n < target.samples; n++) {
    for (let c: usize = 0; c < target.channels; c++) {
      for (let y: usize = 0; y < target.rows; y++) {
        const from = rowOf(source, n, c, y);
        const to = rowOf(target, n, c, y);
        if (contiguous) copyRow(from, to, target.columns);
        else copyPixels(from, source.pixel, to, target.pixel, target.columns);
      }
    }
  }
}

function copyRow(from: usize, to: usize, count: usize): void {
  for (; count >= 4; count -= 4, from += 16, to += 16) v128.store(to, v128.load(from));
  copyPixels(from, 4, to, 4, count);
}

function copyPixels(from: usize, fromStride: usize, to: usize, toStride: usize, count: usize): void {
  for (; count != 0; count--, from += fromStride, to += toStride) store<i32>(to, load<i32>(from));
}

/** Block: source, target. Contiguous rows go four pixels at a time, the remainder one by one. */
export function add(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const contiguous = source.pixel == 4 && target.pixel == 4;
  for (let n: usize = 0; n < target.samples; n++) {
    for (let c: usize = 0; c < target.channels; c++) {
      for (let y: usize = 0; y < target.rows; y++) {
        addRow(source, target, rowOf(source, n, c, y), rowOf(target, n, c, y), contiguous);
      }
    }
  }
}

function addRow(source: View, target: View, from: usize, to: usize, contiguous: bool): void {
  let count = target.columns;
  if (contiguous) {
    for (; count >= 4; count -= 4, from += 16, to += 16) v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
  }
  for (; count != 0; count--, from += source.pixel, to += target.pixel) store<f32>(to, load<f32>(to) + load<f32>(from));
}

@unmanaged
class Pack {
  offset: usize;
  start: usize;
  chunkBytes: usize;
  gapBytes: usize;
}

/** Block: source, {@link Pack}. Rows are copied in pieces that end at a chunk's end. */
export function pack(block: usize): void {
  const source = viewOf(block, 0);
  const fields = changetype<Pack>(block + VIEW_BYTES);
  let room = fields.chunkBytes - (fields.start % fields.chunkBytes);
  let to = fields.offset + fields.start + (fields.start / fields.chunkBytes) * fields.gapBytes;
  for (let n: usize = 0; n < source.samples; n++) {
    for (let c: usize = 0; c < source.channels; c++) {
      for (let y: usize = 0; y < source.rows; y++) {
        let from = rowOf(source, n, c, y);
        let left = source.columns;
        while (left != 0) {
          if (room == 0) {
            room = fields.chunkBytes;
            to += fields.gapBytes;
          }
          const count = min(left, room >> 2);
          if (source.pixel == 4) copyRow(from, to, count);
          else copyPixels(from, source.pixel, to, 4, count);
          left -= count;
          from += count * source.pixel;
          to += count << 2;
          room -= count << 2;
        }
      }
    }
  }
}

@unmanaged
class Pixels {
  mean: f64;
  deviation: f64;
}

/** Block: source (bytes), target, {@link Pixels}, room for one float32 a byte value: a pixel is looked up, because two divisions take longer. */
export function pixels(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const table = block + 2 * VIEW_BYTES + offsetof<Pixels>();
  fillTable(changetype<Pixels>(block + 2 * VIEW_BYTES), table);
  for (let n: usize = 0; n < target.samples; n++) {
    for (let c: usize = 0; c < target.channels; c++) {
      for (let y: usize = 0; y < target.rows; y++) {
        let from = rowOf(source, n, c, y);
        let to = rowOf(target, n, c, y);
        for (let x = target.columns; x != 0; x--, from += source.pixel, to += target.pixel) {
          store<f32>(to, load<f32>(table + (<usize>load<u8>(from) << 2)));
        }
      }
    }
  }
}

function fillTable(fields: Pixels, table: usize): void {
  for (let value: usize = 0; value < 256; value++) {
    store<f32>(table + (value << 2), <f32>((<f64>value / 255 - fields.mean) / fields.deviation));
  }
}
