/** A model that knows digits, trained in a few seconds for tests that use one; for hooks too, which have no teardown. */

import { readFile } from 'node:fs/promises';
import { Command, type ResultLine } from './command.ts';
import { ALL_DIGITS, digitsJob, someDigits, writeJob } from './digits.ts';

/** Trains LeNet-5 on 1x2 tiles for an epoch of MNIST's first digits. @returns the end of `train --json`; the checkpoint lies in `directory`/run */
export async function trainDigits(directory: string, trainCount: number, testCount: number): Promise<ResultLine> {
  const digits = await someDigits(directory, trainCount, testCount);
  const job = await writeJob(directory, digitsJob(digits, { plan: { grid: '1x2' } }));
  const command = new Command(['train', job, '--local', '2', '--json']);
  const { code, stderr } = await command.ended;
  if (code !== 0) throw new Error(`exit code ${code}:\n${stderr}`);
  return command.events().at(-1) as unknown as ResultLine;
}

/** A digit of MNIST's test set. */
export interface LabelledDigit {
  readonly label: number;
  /** 28 x 28 unsigned bytes, light on dark. */
  readonly pixels: Uint8Array;
}

/** The first digits of MNIST's test set. */
export async function testDigits(count: number): Promise<readonly LabelledDigit[]> {
  const [images, labels] = [await readFile(ALL_DIGITS.testImages), await readFile(ALL_DIGITS.testLabels)];
  return Array.from({ length: count }, (_, i) => ({
    label: labels[8 + i]!,
    pixels: images.subarray(16 + i * 784, 16 + (i + 1) * 784),
  }));
}
