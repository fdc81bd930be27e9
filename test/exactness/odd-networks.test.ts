import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { Grid, PlanRequest } from '../../src/planner/plan.ts';
import { distance, formatDistance, losses, sameBits } from '../support/agreement.ts';
import { trainInMemory, type ClusterOutcome } from '../support/memory-cluster.ts';
import { randomDataset } from '../support/memory-data.ts';
import { ODD, type Odd } from '../support/odd-networks.ts';

const engine = await createEngine();

test.after.always(() => engine.close());

const GRIDS: readonly Grid[] = [
  [1, 2],
  [2, 2],
  [2, 3],
  [3, 3],
];

function train({ model, rate, seed }: Odd, devices: number, request: PlanRequest): Promise<ClusterOutcome> {
  return trainInMemory({
    model,
    request,
    devices,
    train: randomDataset(model.input, 3, 40),
    batch: 10,
    steps: 20,
    rate,
    seed,
    writers: Array.from({ length: devices }, (_, rank) => rank),
    engine: () => engine,
  });
}

for (const odd of ODD) {
  const plans: readonly (readonly [string, number, PlanRequest])[] = [
    ...GRIDS.map((grid) => [grid.join('x'), grid[0] * grid[1], { grid }] as const),
    ['by hand', 3, odd.byHand],
  ];
  test(`${odd.what}: every grid takes the steps of one node`, async (t) => {
    const single = await train(odd, 1, { grid: [1, 1] });
    t.true(losses(single).every(Number.isFinite));
    for (const [name, devices, request] of plans) {
      const outcome = await train(odd, devices, request);
      const apart = distance(outcome, single);
      t.log(`${name}: ${formatDistance(apart)}`);
      t.true(apart.loss <= 5e-6, name);
      t.true(apart.gradients <= 5e-6, name);
      t.true(apart.weights <= 1e-5, name);
      t.is(new Set(outcome.checksums).size, 1, name);
    }
  });

  test(`${odd.what}: repeated, the same bits`, async (t) => {
    const [first, second] = [await train(odd, 3, odd.byHand), await train(odd, 3, odd.byHand)];
    t.true(sameBits(first, second));
  });
}
