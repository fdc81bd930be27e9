/** Reading an image file that somebody names: only a file, and not more of it than an image can have. */

import { readFile, stat } from 'node:fs/promises';
import { InputError } from '../../errors.ts';
import { MAX_FILE_BYTES } from './header.ts';

/** @throws {InputError} `imageMissing`, `imageTooLarge` */
export async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    const { size } = await checkedStat(path);
    if (size <= MAX_FILE_BYTES) return await readFile(path);
    throw new InputError('imageTooLarge', `takes ${size} bytes, want at most ${MAX_FILE_BYTES}; make it smaller`);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new InputError('imageMissing', `${gone ? 'does not exist' : 'cannot be read'}; want a PNG or JPEG file`, {
      cause,
    });
  }
}

/** A device or a pipe could deliver bytes for ever. */
async function checkedStat(path: string): Promise<{ readonly size: number }> {
  const kind = await stat(path);
  if (kind.isFile()) return kind;
  throw new InputError('imageMissing', 'is no file; want a PNG or JPEG file');
}
