/** Noise as a data set: seeded pixels and labels, made when they are asked for, the same on every node. */

import { createRandom, deriveSeed } from '../tensor/random.ts';
import type { Dataset, DatasetWanted, RandomSource } from './dataset.ts';

/** An image depends on its own index and the seed alone, not on what was read before. Its pixels are spread evenly over 0 to 255, its label over the classes. */
export function openNoise({ count, seed }: RandomSource, { shape, classes }: DatasetWanted): Dataset {
  const imageBytes = shape[0] * shape[1] * shape[2];
  const labels = new Uint8Array(count);
  const random = createRandom(deriveSeed(seed, 'labels'));
  for (let i = 0; i < count; i++) labels[i] = random.below(classes);
  return {
    count,
    shape,
    labels,
    read: (indices, target) => {
      for (let k = 0; k < indices.length; k++) {
        fillNoise(
          target.subarray(k * imageBytes, (k + 1) * imageBytes),
          deriveSeed(seed, 'pixels', String(indices[k])),
        );
      }
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Four bytes of each random word, lowest first. */
function fillNoise(target: Uint8Array, seed: number): void {
  const random = createRandom(seed);
  let word = 0;
  for (let i = 0; i < target.length; i++) {
    word = i % 4 === 0 ? random.next() : word >>> 8;
    target[i] = word;
  }
}
