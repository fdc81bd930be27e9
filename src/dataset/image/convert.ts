/** From the bytes of an image file to the pixels of a model's input, on this thread. */

import { decodeImage } from './decode.ts';
import { resample, type ResampleOptions } from './resample.ts';

/** @throws {InputError} of `decodeImage` and `resample` */
export async function convertImage(bytes: Uint8Array, options: ResampleOptions): Promise<Uint8Array> {
  return resample(await decodeImage(bytes), options);
}
