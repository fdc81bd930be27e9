/** IDX files for tests, small and made up. */

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh folder of its own under the system's temporary one. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'mqtile-test-'));
}

/** The bytes of an IDX file of unsigned bytes. */
export function idxBytes(extents: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * extents.length);
  header.writeUInt32BE(0x0800 + extents.length, 0);
  extents.forEach((extent, axis) => header.writeUInt32BE(extent, 4 + 4 * axis));
  return Buffer.concat([header, data]);
}

/** Pixel `position` of image `index`, so that every image differs. */
export function pixel(index: number, position: number): number {
  return (index * 31 + position * 7) % 256;
}

/** Writes `count` grey images of rows x columns, labelled index % classes, and returns where they lie. */
export async function writeImages(
  count: number,
  size: readonly [rows: number, columns: number],
  classes = 10,
): Promise<{ readonly images: string; readonly labels: string }> {
  const directory = await temporaryDirectory();
  const [images, labels] = [join(directory, 'images'), join(directory, 'labels')];
  const plane = size[0] * size[1];
  const pixels = Uint8Array.from({ length: count * plane }, (_, i) => pixel(Math.floor(i / plane), i % plane));
  await writeFile(images, idxBytes([count, ...size], pixels));
  await writeFile(
    labels,
    idxBytes(
      [count],
      Uint8Array.from({ length: count }, (_, i) => i % classes),
    ),
  );
  return { images, labels };
}
