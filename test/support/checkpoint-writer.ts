/** Writes checkpoints without end, to be killed: steps 1 to 3 in turn, every value of the n-th being n. Says "ready" when it begins. */

import { initialParameters } from '../../src/model/init.ts';
import type { Model } from '../../src/model/layers.ts';
import { writeCheckpoint } from '../../src/training/checkpoint/write.ts';

/** A dense layer of a megabyte, so that a kill often falls into a write. */
export const WRITTEN_MODEL: Model = {
  name: 'wide',
  input: [256, 1, 1],
  layers: [{ kind: 'dense', name: 'fc', units: 1024, activation: { kind: 'identity' } }],
  loss: 'meanSquares',
};

const [directory] = process.argv.slice(2);
if (import.meta.main && directory !== undefined) {
  process.stdout.write('ready\n');
  for (let count = 1; ; count++) {
    const tensors = initialParameters(WRITTEN_MODEL, 1);
    for (const { values } of tensors.values()) {
      values.fill(count);
    }
    const content = { step: (count % 3) + 1, epoch: count, model: WRITTEN_MODEL, job: {}, planHash: '0', tensors };
    await writeCheckpoint(directory, content);
  }
}
