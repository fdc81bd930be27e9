/** openDataset: one door to every kind of data set. */

import type { Dataset, DatasetSource, DatasetWanted } from './dataset.ts';
import { openIdx } from './idx.ts';
import { openNoise } from './noise.ts';

/**
 * Opens a data set and checks all of it that can be checked without reading the pixels.
 * @throws {InputError} `dataMissing`, `dataUnreadable`, `dataCorrupt`, `dataTruncated`, `dataEmpty`, `dataCounts`, `dataShape`, `labelOutOfRange`
 */
export function openDataset(source: DatasetSource, wanted: DatasetWanted): Promise<Dataset> {
  return source.kind === 'idx' ? openIdx(source, wanted) : Promise.resolve(openNoise(source, wanted));
}
