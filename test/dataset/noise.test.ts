import test from 'ava';
import { openDataset } from '../../src/dataset/open-dataset.ts';

const WANTED = { classes: 10, shape: [3, 5, 7] as const };
const IMAGE_BYTES = 3 * 5 * 7;

function open(count: number, seed: number) {
  return openDataset({ kind: 'random', count, seed }, WANTED);
}

async function read(count: number, seed: number, indices: readonly number[]): Promise<Uint8Array> {
  const pixels = new Uint8Array(indices.length * IMAGE_BYTES);
  await using dataset = await open(count, seed);
  await dataset.read(indices, pixels);
  return pixels;
}

test('an image is the same in whatever order and on whatever node it is read, and another one with another index or seed', async (t) => {
  const image = (pixels: Uint8Array, k: number) => pixels.subarray(k * IMAGE_BYTES, (k + 1) * IMAGE_BYTES);
  const [some, others] = [await read(64, 1, [5, 0, 63]), await read(64, 1, [63, 5])];
  t.deepEqual(image(some, 2), image(others, 0));
  t.deepEqual(image(some, 0), image(others, 1));
  t.notDeepEqual(image(some, 0), image(some, 1));
  t.notDeepEqual(image(some, 0), await read(64, 2, [5]));
});

test('pixels take every value about equally often', async (t) => {
  const counts = new Float64Array(256);
  const indices = Array.from({ length: 1000 }, (_, i) => i);
  for (const pixel of await read(1000, 7, indices)) counts[pixel]!++;
  const mean = (1000 * IMAGE_BYTES) / 256;
  // Six standard deviations of a count.
  t.true(counts.every((count) => Math.abs(count - mean) < 6 * Math.sqrt(mean)));
});

test('labels are classes of the model, the same for the same seed, and bytes beyond the images stay as they are', async (t) => {
  await using dataset = await open(500, 3);
  t.is(dataset.count, 500);
  t.deepEqual([new Set(dataset.labels).size, Math.min(...dataset.labels), Math.max(...dataset.labels)], [10, 0, 9]);
  t.deepEqual((await open(500, 3)).labels, dataset.labels);
  const target = new Uint8Array(IMAGE_BYTES + 9).fill(77);
  await dataset.read([1], target);
  t.deepEqual(target.subarray(IMAGE_BYTES), new Uint8Array(9).fill(77));
});
