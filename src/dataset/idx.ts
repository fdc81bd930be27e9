/** A data set in two IDX files, images and labels. Pixels are read batch by batch, straight to where kernels will find them. */

import type { Dataset, DatasetWanted, IdxSource, ImageShape } from './dataset.ts';
import { dataError, openIdxFile, readFully, type IdxFile } from './idx-file.ts';

/**
 * Reads under way at a time. With few, the threads of Node's pool fall asleep between them: a batch of 64 cost 0.6 ms with 8 under way and
 * 0.2 ms with 64, on x64. Synchronous reads took 0.1 ms from a warm cache, but from a cold SD card they would stop the broker.
 */
const LANES = 64;

/** @throws {InputError} as `openDataset` says */
export async function openIdx(source: IdxSource, wanted: DatasetWanted): Promise<Dataset> {
  const key = (name: string): string => (source.split === 'train' ? `data.${name}` : `data.test${capital(name)}`);
  const images = await openIdxFile(source.images, key('images'), [3, 4]);
  try {
    const shape = imageShape(images);
    checkShape(images, shape, wanted.shape);
    const labels = await readLabels(source.labels, key('labels'), images, wanted.classes);
    return dataset(images, shape, labels);
  } catch (error) {
    await images.handle.close();
    throw error;
  }
}

function dataset(file: IdxFile, shape: ImageShape, labels: Uint8Array): Dataset {
  const imageBytes = shape[0] * shape[1] * shape[2];
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= file.handle.close());
  return {
    count: labels.length,
    shape,
    labels,
    read: (indices, target) => readImages(file, imageBytes, indices, target),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Runs of successive images are read at once; up to {@link LANES} runs at a time. */
async function readImages(
  file: IdxFile,
  imageBytes: number,
  indices: ArrayLike<number>,
  target: Uint8Array,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < indices.length) {
      const start = next;
      do {
        next++;
      } while (next < indices.length && indices[next] === indices[next - 1]! + 1);
      const place = target.subarray(start * imageBytes, next * imageBytes);
      if (place.length !== (next - start) * imageBytes) {
        throw new RangeError(`a target of ${target.length} bytes is too small for ${indices.length} images`);
      }
      await readFully(file, place, file.dataStart + indices[start]! * imageBytes);
    }
  };
  // All lanes must have ended before we return, or a failed batch could still be written to.
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
  const failed = lanes.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

async function readLabels(path: string, key: string, images: IdxFile, classes: number): Promise<Uint8Array> {
  const file = await openIdxFile(path, key, [1]);
  try {
    const count = file.extents[0]!;
    if (count !== images.extents[0]) {
      throw dataError(
        'dataCounts',
        file,
        `holds ${count} labels, but ${images.key}: ${images.path} holds ${images.extents[0]} images; they belong to different sets`,
      );
    }
    const labels = new Uint8Array(count);
    await readFully(file, labels, file.dataStart);
    checkLabels(file, labels, classes);
    return labels;
  } finally {
    await file.handle.close();
  }
}

function checkLabels(file: IdxFile, labels: Uint8Array, classes: number): void {
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw dataError(
      'labelOutOfRange',
      file,
      `holds label ${labels[wrong]} at position ${wrong}, but the model has ${classes} outputs: want labels from 0 to ${classes - 1}`,
    );
  }
}

/** Three dimensions are grey images; four name their channels. */
function imageShape(file: IdxFile): ImageShape {
  const [, ...axes] = file.extents;
  const [channels = 1, rows = 1, columns = 1] = axes.length === 2 ? [1, ...axes] : axes;
  return [channels, rows, columns];
}

function checkShape(file: IdxFile, got: ImageShape, wanted: ImageShape): void {
  if (got.some((extent, axis) => extent !== wanted[axis])) {
    throw dataError(
      'dataShape',
      file,
      `holds images of ${got.join('x')} (channels x rows x columns), but model.input is ${wanted.join('x')}; change one of them`,
    );
  }
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
