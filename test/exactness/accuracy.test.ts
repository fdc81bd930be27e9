import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { LARGEST_DIFFERENCE, MODELS, compareAccuracy } from '../support/accuracy.ts';
import { digits } from '../support/memory-data.ts';

/** Far from an epoch, but the rate has fallen to nothing, and little is left to chance; npm run bench:accuracy goes on to the end. */
const STEPS = 150;

const data = { train: await digits(64 * STEPS), test: await digits(5000, 'test') };
const engine = await createEngine();

test.after.always(() => engine.close());

for (const model of MODELS) {
  test(`${model.name} learns MNIST in mode fast as well as in mode strict`, async (t) => {
    const { strict, fast, difference } = await compareAccuracy(model, { ...data, steps: STEPS, engine });
    t.log(`strict ${strict.join(', ')}; fast ${fast.join(', ')}; ${(100 * difference).toFixed(2)} points`);
    t.true(Math.min(...strict, ...fast) > 0.9);
    t.true(Math.abs(difference) <= LARGEST_DIFFERENCE);
  });
}
