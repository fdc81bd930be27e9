/** A thread that converts one image and ends. */

import { parentPort, workerData } from 'node:worker_threads';
import { MqtileError } from '../../errors.ts';
import { convertImage } from './convert.ts';
import type { ResampleOptions } from './resample.ts';

/** What the thread is given. */
export interface ImageTask {
  readonly bytes: Uint8Array;
  readonly options: ResampleOptions;
}

/** What it answers; errors lose their class on the way between threads. */
export type ImageAnswer =
  { readonly pixels: Uint8Array<ArrayBuffer> } | { readonly code: string | undefined; readonly message: string };

const { bytes, options } = workerData as ImageTask;

parentPort!.postMessage(await answer(), []);

async function answer(): Promise<ImageAnswer> {
  try {
    return { pixels: Uint8Array.from(await convertImage(bytes, options)) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: error instanceof MqtileError ? error.code : undefined, message };
  }
}
