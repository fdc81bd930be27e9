/** What the first bytes of an image say of it: its format, by its magic number, and its size, before anything is decoded. */

import { InputError } from '../../errors.ts';
import { readJpegHeader } from './jpeg-header.ts';

export type ImageFormat = 'png' | 'jpeg';

export interface ImageHeader {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
}

/** Decoding takes up to 30 bytes a pixel: some 500 MB for an image of this size, and it is four thousand times what a small model looks at. */
export const MAX_PIXELS = 4096 * 4096;

/** More than any image within {@link MAX_PIXELS} that a camera writes. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;

const PNG_MAGIC = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG_MAGIC = [0xff, 0xd8, 0xff];

/** Signature, then the chunk IHDR: length, name, width, height, five bytes, CRC (PNG specification, 11.2.1). */
const PNG_HEADER_BYTES = 33;
const PNG_SIZE_AT = 16;

/** The format that the bytes begin as; undefined for what is neither PNG nor JPEG. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const begins = (magic: readonly number[]) => magic.every((byte, i) => bytes[i] === byte);
  if (begins(PNG_MAGIC)) return 'png';
  return begins(JPEG_MAGIC) ? 'jpeg' : undefined;
}

/** @throws {InputError} `imageInvalid` for what is no image, `imageTooLarge` beyond {@link MAX_PIXELS} or {@link MAX_FILE_BYTES} */
export function readImageHeader(bytes: Uint8Array): ImageHeader {
  const format = imageFormat(bytes);
  if (format === undefined) throw invalid(`is neither PNG nor JPEG: it ${beginning(bytes)}`);
  if (bytes.length > MAX_FILE_BYTES) {
    throw new InputError(
      'imageTooLarge',
      `takes ${bytes.length} bytes, want at most ${MAX_FILE_BYTES}; make it smaller`,
    );
  }
  const { width, height } = format === 'png' ? readPngSize(bytes) : readJpegHeader(bytes);
  if (width === 0 || height === 0) throw invalid(`has ${width} x ${height} pixels`);
  if (width * height > MAX_PIXELS) {
    throw new InputError(
      'imageTooLarge',
      `has ${width} x ${height} pixels, want at most ${MAX_PIXELS} (4096 x 4096); make it smaller`,
    );
  }
  return { format, width, height };
}

function readPngSize(bytes: Uint8Array): { readonly width: number; readonly height: number } {
  if (bytes.length < PNG_HEADER_BYTES) throw invalid(`is cut short: got ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { width: view.getUint32(PNG_SIZE_AT), height: view.getUint32(PNG_SIZE_AT + 4) };
}

function beginning(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'is empty' : `begins with ${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`;
}

/** `imageInvalid`, with the way out. */
function invalid(what: string): InputError {
  return new InputError('imageInvalid', `${what}; want a whole PNG or JPEG file`);
}
