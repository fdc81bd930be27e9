/** Decoding of PNG and JPEG by pngjs and jpeg-js, which are optional: loaded when the first image comes. */

import { inflateSync } from 'node:zlib';
import { InputError } from '../../errors.ts';
import { readImageHeader, type ImageFormat, type ImageHeader } from './header.ts';
import { readJpegHeader } from './jpeg-header.ts';
import { orient, type Raster } from './raster.ts';

/** Bytes that jpeg-js may allocate, in its own unit: 16 megapixels at full colour resolution need 430. */
const JPEG_MEMORY_MB = 512;

const PACKAGES = { png: 'pngjs', jpeg: 'jpeg-js' } as const;

/** Samples a pixel by colour type: grey, -, colour, palette, grey and opacity, -, colour and opacity (PNG specification, 11.2.1). */
const PNG_SAMPLES = [1, 0, 3, 1, 2, 0, 4];

/** First column and row, and distance of columns and rows, of the seven passes of an interlaced PNG (PNG specification, 8.2). */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/**
 * Decodes an image, on this thread; a photograph takes seconds.
 * @throws {InputError} `imageInvalid`, `imageTooLarge`, `decoderMissing`
 */
export async function decodeImage(bytes: Uint8Array): Promise<Raster> {
  const header = readImageHeader(bytes);
  const decode = header.format === 'png' ? await loadPng() : await loadJpeg();
  try {
    return decode(bytes, header);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    const what = `is a damaged ${header.format.toUpperCase()} file (${why}); want a whole PNG or JPEG file`;
    throw new InputError('imageInvalid', what, { cause });
  }
}

type Decode = (bytes: Uint8Array, header: ImageHeader) => Raster;

async function loadPng(): Promise<Decode> {
  const { PNG } = await optional('png', () => import('pngjs'));
  return (bytes, header) => {
    checkData(bytes, header);
    const { width, height, data } = PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return { width, height, rgba: data };
  };
}

async function loadJpeg(): Promise<Decode> {
  const { decode } = await optional('jpeg', () => import('jpeg-js'));
  return (bytes) => {
    const { width, height, data } = decode(bytes, {
      useTArray: true,
      tolerantDecoding: false,
      maxMemoryUsageInMB: JPEG_MEMORY_MB,
    });
    return orient({ width, height, rgba: data }, readJpegHeader(bytes).orientation);
  };
}

/** @throws {InputError} `decoderMissing` where the package is not installed */
async function optional<Package>(format: ImageFormat, load: () => Promise<Package>): Promise<Package> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new InputError(
      'decoderMissing',
      `is a ${format.toUpperCase()} file, whose decoder is not installed; run: npm install ${PACKAGES[format]}`,
      { cause },
    );
  }
}

/** pngjs takes missing rows for black, and unpacks what an interlaced file holds without a bound; so what is there is counted first, within one. */
function checkData(bytes: Uint8Array, { width, height }: ImageHeader): void {
  const bits = (PNG_SAMPLES[bytes[25]!] ?? 0) * bytes[24]!;
  const passes = bytes[28] === 1 ? ADAM7 : [[0, 0, 1, 1] as const];
  const passBytes = passes.map(([x, y, dx, dy]) => {
    const [columns, rows] = [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)];
    return columns > 0 && rows > 0 ? rows * (1 + Math.ceil((columns * bits) / 8)) : 0;
  });
  const wanted = passBytes.reduce((a, b) => a + b, 0);
  const { length } = inflateSync(Buffer.concat(imageData(bytes)), { maxOutputLength: wanted });
  if (length !== wanted) throw new Error(`got ${length} bytes of pixels, want ${wanted}`);
}

/** The contents of the chunks IDAT. */
function imageData(bytes: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Uint8Array[] = [];
  for (let at = 8; at + 8 <= bytes.length;) {
    const length = view.getUint32(at);
    const name = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1');
    if (name === 'IDAT') found.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return found;
}
