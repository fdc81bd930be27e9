/**
 * IDX, the format of MNIST (yann.lecun.com/exdb/mnist, "file format"), unsigned bytes only:
 *
 *     0  0  8  d   d big-endian 32-bit extents   data, row-major
 */

import { open, type FileHandle } from 'node:fs/promises';
import { InputError } from '../errors.ts';

/** An open IDX file whose size agrees with its header. */
export interface IdxFile {
  readonly path: string;
  /** The job's key that named the file, e.g. `data.images`. */
  readonly key: string;
  readonly handle: FileHandle;
  readonly extents: readonly number[];
  /** Position of the first data byte. */
  readonly dataStart: number;
}

const UNSIGNED_BYTES = 8;

/**
 * @param dimensions how many extents the file may have, e.g. `[1]` for labels
 * @throws {InputError} `dataMissing`, `dataUnreadable`, `dataCorrupt`, `dataTruncated`, `dataEmpty`
 */
export async function openIdxFile(path: string, key: string, dimensions: readonly number[]): Promise<IdxFile> {
  const handle = await open(path).catch((cause: unknown) => {
    throw unopened(path, key, cause);
  });
  try {
    const extents = await readExtents(handle, path, key, dimensions);
    const dataStart = 4 + 4 * extents.length;
    await checkSize({ path, key, handle, extents, dataStart });
    return { path, key, handle, extents, dataStart };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Reads exactly `target.length` bytes.
 * @throws {InputError} `dataTruncated` when the file ends before, `dataUnreadable` when it cannot be read
 */
export async function readFully(file: IdxFile, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await file.handle
      .read(target, done, target.length - done, position + done)
      .catch((cause: unknown) => {
        throw dataError('dataUnreadable', file, `cannot be read (${String(cause)})`, cause);
      });
    if (bytesRead === 0) {
      throw dataError(
        'dataTruncated',
        file,
        `ends at byte ${position + done}, though it was longer when it was opened`,
      );
    }
    done += bytesRead;
  }
}

/** One line that names the key, the file and what is wrong with it. */
export function dataError(code: string, at: { path: string; key: string }, what: string, cause?: unknown): InputError {
  return new InputError(code, `${at.key}: ${at.path} ${what}`, cause === undefined ? undefined : { cause });
}

async function readExtents(
  handle: FileHandle,
  path: string,
  key: string,
  dimensions: readonly number[],
): Promise<readonly number[]> {
  const header = Buffer.alloc(4 + 4 * Math.max(...dimensions));
  const { bytesRead } = await handle.read(header, 0, header.length, 0).catch((cause: unknown) => {
    throw unopened(path, key, cause);
  });
  checkMagic(header.subarray(0, bytesRead), { path, key }, dimensions);
  const count = header.readUInt8(3);
  if (bytesRead < 4 + 4 * count) {
    throw dataError(
      'dataTruncated',
      { path, key },
      `is cut short: got ${bytesRead} bytes, want a header of ${4 + 4 * count}; fetch it again`,
    );
  }
  return Array.from({ length: count }, (_, axis) => header.readUInt32BE(4 + 4 * axis));
}

function checkMagic(header: Buffer, at: { path: string; key: string }, dimensions: readonly number[]): void {
  if (header.length === 0) {
    throw dataError('dataTruncated', at, 'is empty: got 0 bytes, want an IDX file');
  }
  if (header[0] === 0x1f && header[1] === 0x8b) {
    throw dataError('dataCorrupt', at, 'is compressed: gunzip it first');
  }
  const magic = dimensions.map((count) => (UNSIGNED_BYTES * 256 + count).toString(16).padStart(8, '0'));
  const got = header.subarray(0, 4).toString('hex');
  if (!magic.includes(got)) {
    const axes = dimensions.join(' or ');
    throw dataError(
      'dataCorrupt',
      at,
      `is not what this key wants: it begins with ${got}, want ${magic.join(' or ')} (IDX, unsigned bytes, ${axes} dimensions)`,
    );
  }
}

async function checkSize(file: IdxFile): Promise<void> {
  const want = file.extents.reduce((product, extent) => product * extent, 1) + file.dataStart;
  const { size } = await file.handle.stat();
  const extents = file.extents.join('x');
  if (want === file.dataStart) {
    throw dataError('dataEmpty', file, `holds nothing: its header says ${extents}, want at least one image`);
  }
  if (size < want) {
    throw dataError(
      'dataTruncated',
      file,
      `is cut short: got ${size} bytes, its header of ${extents} wants ${want}; fetch it again`,
    );
  }
  if (size > want) {
    throw dataError('dataCorrupt', file, `is too long: got ${size} bytes, its header of ${extents} wants ${want}`);
  }
}

function unopened(path: string, key: string, cause: unknown): InputError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return dataError('dataMissing', { path, key }, 'does not exist', cause);
  }
  if (code === 'EISDIR') {
    return dataError('dataUnreadable', { path, key }, 'is a folder, want an IDX file', cause);
  }
  return dataError('dataUnreadable', { path, key }, `cannot be read (${String(cause)})`, cause);
}
