/** npm run bench:accuracy: what networks of mode fast know of MNIST's 10,000 test digits after an epoch, beside those of mode strict. */

import { stamp } from '../../src/bench/stamp.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { LARGEST_DIFFERENCE, MODELS, compareAccuracy } from '../support/accuracy.ts';
import { digits } from '../support/memory-data.ts';
import { writeFile } from 'node:fs/promises';

const BATCH = 64;
const [save] = process.argv.slice(2);

await using engine = await createEngine();
const [train, test] = [await digits(60_000), await digits(10_000, 'test')];
const steps = Math.ceil(train.count / BATCH);
const rows: object[] = [];
for (const model of MODELS) {
  const row = { model: model.name, steps, ...(await compareAccuracy(model, { train, test, steps, engine })) };
  rows.push(row);
  process.stdout.write(`${JSON.stringify(row)}\n`);
  if (Math.abs(row.difference) > LARGEST_DIFFERENCE) process.exitCode = 1;
}
if (save !== undefined) await writeFile(save, `${JSON.stringify(stamp('accuracy', rows), null, 2)}\n`);
