import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import type { Grid, PlanRequest } from '../../src/planner/plan.ts';
import { distance, formatDistance, losses, sameBits } from '../support/agreement.ts';
import { trainInMemory, type ClusterOutcome } from '../support/memory-cluster.ts';
import { digits } from '../support/memory-data.ts';

const engine = await createEngine();
const train = await digits(360);
const STEPS = 20;

/** With this order of the digits no rounding difference flips a ReLU or the maximum of a pooling within 20 steps. */
const SEED = 3;

function run(devices: number, request: PlanRequest, writers = [0]): Promise<ClusterOutcome> {
  const job = { model: zooModel('lenet5'), train, batch: 36, steps: STEPS, rate: 0.02, seed: SEED, writers };
  return trainInMemory({ ...job, devices, request, engine: () => engine });
}

const single = await run(1, { grid: [1, 1] });

test.after.always(() => engine.close());

const GRIDS: readonly Grid[] = [
  [1, 2],
  [2, 2],
  [2, 3],
  [3, 3],
];

for (const grid of GRIDS) {
  test(`LeNet-5 on ${grid.join('x')} tiles takes the steps of one node`, async (t) => {
    const outcome = await run(grid[0] * grid[1], { grid });
    const apart = distance(outcome, single);
    t.log(formatDistance(apart));
    t.true(apart.loss <= 5e-6);
    t.true(apart.gradients <= 5e-6);
    t.true(apart.weights <= 1e-5);
    t.is(new Set(outcome.checksums).size, 1);
  });
}

test('one node takes the same steps whether or not the layers are cut into stages', async (t) => {
  const whole = await run(1, { stages: [{ layers: [0, 8], partition: 'single' }] });
  t.true(sameBits(whole, single));
});

test('stages by hand of rows, columns, one device and samples agree with one node too', async (t) => {
  const request: PlanRequest = {
    stages: [
      { layers: [0, 1], partition: 'samples' },
      { layers: [1, 3], partition: 'tiles', grid: [3, 1] },
      { layers: [3, 4], partition: 'tiles', grid: [1, 3] },
      { layers: [4, 6], partition: 'samples' },
      { layers: [6, 8], partition: 'single' },
    ],
  };
  const outcome = await run(3, request, [0, 1, 2]);
  const apart = distance(outcome, single);
  t.log(formatDistance(apart));
  t.true(apart.loss <= 5e-6 && apart.gradients <= 5e-6 && apart.weights <= 1e-5);
  t.is(new Set(outcome.checksums).size, 1);
});

test('the same run repeated gives the same bits in every checkpoint and every loss', async (t) => {
  const [first, second] = [await run(4, { grid: [2, 2] }), await run(4, { grid: [2, 2] })];
  t.true(sameBits(first, second));
  t.deepEqual(first.checksums, second.checksums);
  t.false(sameBits(first, single), 'another grid adds in another order');
});

test('training goes somewhere: the loss of the last steps is below that of the first', (t) => {
  const [first] = losses(single);
  t.true(losses(single).at(-1)! < 0.7 * first!);
});
