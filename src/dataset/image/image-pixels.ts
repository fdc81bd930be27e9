/** imagePixels: the one door from an image file to a model's input. */

import { Worker } from 'node:worker_threads';
import { InputError } from '../../errors.ts';
import { convertImage } from './convert.ts';
import { readImageHeader } from './header.ts';
import type { ResampleOptions } from './resample.ts';
import type { ImageAnswer, ImageTask } from './worker.ts';

/** Up to here an image is converted at once, within some 5 ms on x64; a thread of its own takes 40 ms to begin. */
const MAX_PIXELS_AT_ONCE = 128 * 128;

/** A photograph of 16 megapixels took 5 s on x64; a file that was made to take for ever is given up. */
const LIMIT_MS = 60_000;

const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** Large images wait for each other: each takes up to 500 MB. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Decodes a PNG or JPEG file and brings it to a model's input. Large ones are converted in a thread, so that brokers and bridges of this process go on.
 * @param bytes the whole file
 * @returns channels x rows x columns unsigned bytes, as `Predictor.predict` takes them
 * @throws {InputError} `imageInvalid`, `imageTooLarge`, `imageChannels`, `decoderMissing`
 */
export async function imagePixels(bytes: Uint8Array, options: ResampleOptions): Promise<Uint8Array> {
  const { width, height } = readImageHeader(bytes);
  if (width * height <= MAX_PIXELS_AT_ONCE) return convertImage(bytes, options);
  const next = last.then(() => convertAside({ bytes, options }));
  last = next.catch(() => {});
  return next;
}

async function convertAside(task: ImageTask): Promise<Uint8Array> {
  const worker = new Worker(WORKER_URL, { workerData: task, execArgv: [], name: 'mqtile-image' });
  const { promise, resolve, reject } = Promise.withResolvers<ImageAnswer>();
  const giveUp = (why: string, cause?: unknown) =>
    reject(new InputError('imageInvalid', `cannot be decoded: ${why}; save it as PNG`, { cause }));
  const timer = setTimeout(() => giveUp(`it takes more than ${LIMIT_MS / 1000} s`), LIMIT_MS);
  worker.once('message', resolve);
  worker.once('error', (cause) => giveUp(String(cause), cause));
  worker.once('exit', (code) => giveUp(`its thread ended with code ${code}`));
  try {
    const answer = await promise;
    if ('pixels' in answer) return answer.pixels;
    throw answer.code === undefined ? new Error(answer.message) : new InputError(answer.code, answer.message);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
