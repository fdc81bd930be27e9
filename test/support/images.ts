/** Image files made in tests: PNG of every colour type, JPEG, and MNIST's digits as people would have them. */

import { deflateSync, crc32 } from 'node:zlib';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';

/** Red, green, blue and opacity of the pixel at column x and row y. */
export type Paint = (x: number, y: number) => readonly [red: number, green: number, blue: number, opacity: number];

/** RGBA of an image, row by row. */
export function paint(width: number, height: number, at: Paint): Uint8Array {
  const rgba = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) rgba.set(at(x, y), 4 * (y * width + x));
  return rgba;
}

export interface PngOptions {
  /** 0 grey, 2 colour, 4 grey and opacity, 6 colour and opacity. */
  readonly colorType: 0 | 2 | 4 | 6;
  readonly bitDepth?: 8 | 16;
}

/** A PNG file as pngjs writes it. */
export function pngOf(
  rgba: Uint8Array,
  [width, height]: readonly [number, number],
  { colorType, bitDepth = 8 }: PngOptions,
): Buffer {
  const png = new PNG({ width, height });
  // pngjs takes 16-bit samples as they are to be written.
  const data = bitDepth === 8 ? Buffer.from(rgba) : Buffer.from(Uint16Array.from(rgba, (byte) => byte * 257).buffer);
  png.data = data;
  return PNG.sync.write(png, { colorType, bitDepth, inputColorType: 6, inputHasAlpha: true });
}

/** A PNG file of the header, palette and so on, and unpacked rows that are given. */
export function rawPng(
  header: { width: number; height: number; bitDepth: number; colorType: number; interlaced?: boolean },
  rows: Uint8Array,
  chunks: readonly (readonly [name: string, data: Uint8Array])[] = [],
): Buffer {
  const ihdr = Buffer.alloc(13);
  ihdr.writeUInt32BE(header.width, 0);
  ihdr.writeUInt32BE(header.height, 4);
  ihdr.set([header.bitDepth, header.colorType, 0, 0, header.interlaced ? 1 : 0], 8);
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', ihdr),
    ...chunks.map(([name, data]) => chunk(name, data)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** A JPEG file of high quality. */
export function jpegOf(rgba: Uint8Array, [width, height]: readonly [number, number], quality = 95): Buffer {
  return Buffer.from(jpeg.encode({ data: Buffer.from(rgba), width, height }, quality).data);
}

/** The JPEG file with an Exif orientation put in front. */
export function turned(file: Buffer, orientation: number, little = true): Buffer {
  const tiff = Buffer.alloc(26);
  tiff.write(little ? 'II' : 'MM', 'latin1');
  const write16 = (value: number, at: number) =>
    little ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
  const write32 = (value: number, at: number) =>
    little ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
  write16(42, 2);
  write32(8, 4);
  write16(1, 8);
  write16(0x0112, 10);
  write16(3, 12);
  write32(1, 14);
  write16(orientation, 18);
  const exif = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, exif.length + 2]);
  return Buffer.concat([file.subarray(0, 2), head, exif, file.subarray(2)]);
}

/** One channel of bytes as a grey PNG file, e.g. a digit of MNIST. */
export function greyPng(pixels: Uint8Array, size: readonly [width: number, height: number] = [28, 28]): Buffer {
  const rgba = paint(size[0], size[1], (x, y) => {
    const grey = pixels[y * size[0] + x]!;
    return [grey, grey, grey, 255];
  });
  return pngOf(rgba, size, { colorType: 0 });
}
