import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import type { IdxSource } from '../../src/dataset/dataset.ts';
import { openDataset } from '../../src/dataset/open-dataset.ts';
import { InputError } from '../../src/errors.ts';
import { idxBytes, pixel, temporaryDirectory, writeImages } from '../support/idx.ts';

const WANTED = { classes: 10, shape: [1, 3, 4] } as const;

async function source(count = 20): Promise<IdxSource> {
  return { kind: 'idx', split: 'train', ...(await writeImages(count, [3, 4])) };
}

test('images land at their places in shared memory, in any order and more than once, and nothing else changes', async (t) => {
  await using dataset = await openDataset(await source(), WANTED);
  t.is(dataset.count, 20);
  t.deepEqual(dataset.shape, [1, 3, 4]);
  t.deepEqual([...dataset.labels.subarray(8, 12)], [8, 9, 0, 1]);
  const target = new Uint8Array(new SharedArrayBuffer(264), 64).fill(255);
  const indices = [7, 8, 9, 3, 19, 0, 3, 4, 11, 10];
  await dataset.read(indices, target);
  indices.forEach((index, k) =>
    t.deepEqual(
      Array.from(target.subarray(k * 12, (k + 1) * 12)),
      Array.from({ length: 12 }, (_, i) => pixel(index, i)),
    ),
  );
  t.true(target.subarray(120).every((byte) => byte === 255));
  await dataset.read([], target);
  await t.throwsAsync(dataset.read(indices, target.subarray(0, 100)), { instanceOf: RangeError });
});

test('images with several channels are four-dimensional IDX', async (t) => {
  const { images, labels } = await writeImages(2, [6, 1]);
  await writeFile(
    images,
    idxBytes(
      [2, 3, 1, 2],
      new Uint8Array(12).map((_, i) => i),
    ),
  );
  await using dataset = await openDataset(
    { kind: 'idx', split: 'train', images, labels },
    { classes: 2, shape: [3, 1, 2] },
  );
  const target = new Uint8Array(6);
  await dataset.read([1], target);
  t.deepEqual([...target], [6, 7, 8, 9, 10, 11]);
});

test('a data set closes twice without complaint', async (t) => {
  const dataset = await openDataset(await source(), WANTED);
  await dataset.close();
  await t.notThrowsAsync(dataset.close());
  await t.throwsAsync(dataset.read([0], new Uint8Array(12)), { instanceOf: InputError, code: 'dataUnreadable' });
});

test('a file that is cut short while it is used is reported, not read as zeros', async (t) => {
  const files = await source();
  await using dataset = await openDataset(files, WANTED);
  await truncate(files.images, 16 + 5 * 12 + 3);
  await t.throwsAsync(dataset.read([4, 5], new Uint8Array(24)), { code: 'dataTruncated', message: /ends at byte 79/ });
});

const IMAGE = new Uint8Array(12);
const faults: readonly (readonly [
  title: string,
  broken: 'images' | 'labels',
  bytes: Buffer,
  code: string,
  message: RegExp,
])[] = [
  [
    'cut short',
    'images',
    idxBytes([20, 3, 4], new Uint8Array(239)),
    'dataTruncated',
    /got 255 bytes, its header of 20x3x4 wants 256/,
  ],
  [
    'cut in its header',
    'images',
    idxBytes([20, 3, 4], IMAGE).subarray(0, 9),
    'dataTruncated',
    /got 9 bytes, want a header of 16/,
  ],
  ['of no bytes', 'images', Buffer.alloc(0), 'dataTruncated', /got 0 bytes/],
  [
    'with trailing bytes',
    'images',
    idxBytes([20, 3, 4], new Uint8Array(241)),
    'dataCorrupt',
    /too long: got 257 bytes.*wants 256/,
  ],
  [
    'that is compressed',
    'images',
    gzipSync(idxBytes([20, 3, 4], new Uint8Array(240))),
    'dataCorrupt',
    /gunzip it first/,
  ],
  [
    'of another format',
    'images',
    Buffer.from('\x89PNG and so on, and on'),
    'dataCorrupt',
    /begins with .*, want 00000803 or 00000804/,
  ],
  [
    'that holds labels',
    'images',
    idxBytes([20], new Uint8Array(20)),
    'dataCorrupt',
    /begins with 00000801, want 00000803/,
  ],
  ['without images', 'images', idxBytes([0, 3, 4], new Uint8Array(0)), 'dataEmpty', /0x3x4/],
  ['of other images', 'images', idxBytes([20, 4, 3], new Uint8Array(240)), 'dataShape', /1x4x3.*model\.input is 1x3x4/],
  [
    'with a label missing',
    'labels',
    idxBytes([19], new Uint8Array(19)),
    'dataCounts',
    /19 labels, but data\.images: .* holds 20 images/,
  ],
  [
    'with a label too large',
    'labels',
    idxBytes([20], new Uint8Array(20).fill(10, 7, 8)),
    'labelOutOfRange',
    /label 10 at position 7.*10 outputs.*0 to 9/,
  ],
];

for (const [title, broken, bytes, code, message] of faults) {
  test(`a file of ${broken} ${title} is refused in one line that names file and key`, async (t) => {
    const files = await source();
    await writeFile(files[broken], bytes);
    const error = await t.throwsAsync(openDataset(files, WANTED), { instanceOf: InputError, code, message });
    t.true(error.message.startsWith(`data.${broken}: ${files[broken]} `), error.message);
    t.false(error.message.includes('\n'));
  });
}

test('a missing file and a folder are refused, and test data goes by its own keys', async (t) => {
  const files = await source();
  const missing = { ...files, labels: join(await temporaryDirectory(), 'none'), split: 'test' } as const;
  await t.throwsAsync(openDataset(missing, WANTED), {
    code: 'dataMissing',
    message: /^data\.testLabels: .*none does not exist$/,
  });
  const folder = { ...files, images: await temporaryDirectory(), split: 'test' } as const;
  await t.throwsAsync(openDataset(folder, WANTED), {
    code: 'dataUnreadable',
    message: /^data\.testImages: .* is a folder/,
  });
});
