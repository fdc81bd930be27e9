/** The header of a JPEG file: its size, and which way up the camera was held (ITU-T T.81, annex B; Exif 2.3, 4.6). */

import { InputError } from '../../errors.ts';

export interface JpegHeader {
  /** As stored, before the orientation is applied. */
  readonly width: number;
  readonly height: number;
  /** Exif's: 1 as it is, 2 to 8 mirrored or turned; see `orient`. */
  readonly orientation: number;
}

const FRAME_MARKERS = { first: 0xc0, last: 0xcf };
/** Huffman tables, an extension and arithmetic conditioning have numbers among those of frames. */
const NOT_FRAMES: readonly number[] = [0xc4, 0xc8, 0xcc];
/** Baseline, extended and progressive, all with Huffman codes: what decoders read. */
const KNOWN_FRAMES: readonly number[] = [0xc0, 0xc1, 0xc2];
const APP1 = 0xe1;
const START_OF_SCAN = 0xda;

const ORIENTATION_TAG = 0x0112;
const ENTRY_BYTES = 12;

/** Walks from segment to segment up to the frame's. @throws {InputError} `imageInvalid` */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let orientation = 1;
  for (let at = 2; at + 9 < bytes.length;) {
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff || marker === START_OF_SCAN) break;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const length = view.getUint16(at + 2);
    if (isFrame(marker)) {
      if (!KNOWN_FRAMES.includes(marker) || bytes[at + 4] !== 8) {
        throw new InputError(
          'imageInvalid',
          'is a JPEG file of a rare kind; save it as a common (baseline) JPEG or as PNG',
        );
      }
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), orientation };
    }
    if (marker === APP1) orientation = readOrientation(bytes.subarray(at + 4, at + 2 + length)) ?? orientation;
    at += 2 + length;
  }
  throw new InputError('imageInvalid', 'is cut short or damaged: no size was found; want a whole PNG or JPEG file');
}

function isFrame(marker: number): boolean {
  return marker >= FRAME_MARKERS.first && marker <= FRAME_MARKERS.last && !NOT_FRAMES.includes(marker);
}

/** @param segment `Exif`, two zeros, then a TIFF file whose first directory has the tag; undefined where it has not */
function readOrientation(segment: Uint8Array): number | undefined {
  if (Buffer.from(segment.subarray(0, 6)).toString('latin1') !== 'Exif\0\0' || segment.length < 14) return undefined;
  const tiff = new DataView(segment.buffer, segment.byteOffset + 6, segment.byteLength - 6);
  const little = tiff.getUint16(0) === 0x4949;
  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return undefined;
  const entries = tiff.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * ENTRY_BYTES;
    if (entry + ENTRY_BYTES > tiff.byteLength) return undefined;
    if (tiff.getUint16(entry, little) === ORIENTATION_TAG) return tiff.getUint16(entry + 8, little);
  }
  return undefined;
}
