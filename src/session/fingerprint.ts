/** Fingerprints: members that were given other images or other weights to begin with would train nonsense without a word, so they compare. */

import { createHash } from 'node:crypto';
import type { Dataset } from '../dataset/dataset.ts';
import { InputError } from '../errors.ts';
import type { Member } from '../protocol/documents.ts';
import type { JobData, Start } from './prepare.ts';

/** Images of each data set that are looked at, evenly spread over it; labels are looked at all. */
const IMAGES = 64;

/** First 16 hexadecimal digits of SHA-256 each. */
export interface Fingerprint {
  readonly dataHash: string;
  readonly startHash: string;
}

export async function fingerprintOf({ train, test }: JobData, { step, tensors }: Start): Promise<Fingerprint> {
  const data = createHash('sha256');
  for (const dataset of test ? [train, test] : [train]) {
    data.update(dataset.labels);
    await sample(dataset, (image) => data.update(image));
  }
  const start = createHash('sha256').update(`${step}\n`);
  for (const [name, values] of [...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    start.update(`${name}\n`).update(values);
  }
  return { dataHash: data.digest('hex').slice(0, 16), startHash: start.digest('hex').slice(0, 16) };
}

/** One image at a time: 64 of a camera's would be more than the node needs for training. */
async function sample(dataset: Dataset, take: (image: Uint8Array) => void): Promise<void> {
  const count = Math.min(IMAGES, dataset.count);
  const [channels, rows, columns] = dataset.shape;
  const image = new Uint8Array(channels * rows * columns);
  for (let k = 0; k < count; k++) {
    await dataset.read([Math.floor((k * dataset.count) / count)], image);
    take(image);
  }
}

/**
 * @param mine this node's fingerprint, `members` what all nodes said when they were ready
 * @throws {InputError} `dataMismatch`, `startMismatch` naming the node that differs
 */
export function compareFingerprints(self: string, mine: Fingerprint, members: ReadonlyMap<string, Member>): void {
  for (const [name, { dataHash, startHash }] of members) {
    if (dataHash !== undefined && dataHash !== mine.dataHash) {
      throw new InputError(
        'dataMismatch',
        `${name} has other images or labels than ${self} under the paths of the job's data; copy the same files to both`,
      );
    }
    if (startHash !== undefined && startHash !== mine.startHash) {
      throw new InputError(
        'startMismatch',
        `${name} would begin with other weights than ${self}; copy the same init file or checkpoint to both`,
      );
    }
  }
}
