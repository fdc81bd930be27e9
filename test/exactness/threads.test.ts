import test from 'ava';
import type { Engine } from '../../src/kernels/engine.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import type { PlanRequest } from '../../src/planner/plan.ts';
import { losses, sameBits } from '../support/agreement.ts';
import { trainInMemory, type ClusterOutcome } from '../support/memory-cluster.ts';
import { digits } from '../support/memory-data.ts';

const train = await digits(144);

function run(engine: Engine, devices: number, request: PlanRequest): Promise<ClusterOutcome> {
  const job = { model: zooModel('lenet5'), train, batch: 36, steps: 8, rate: 0.02, seed: 1, writers: [0] };
  return trainInMemory({ ...job, devices, request, engine: () => engine });
}

const PLANS: readonly (readonly [name: string, devices: number, request: PlanRequest])[] = [
  ['one node', 1, { grid: [1, 1] }],
  ['2x2 tiles', 4, { grid: [2, 2] }],
];

for (const [name, devices, request] of PLANS) {
  test.serial(`LeNet-5 on ${name} takes the same steps, to the last bit, with any number of threads`, async (t) => {
    await using one = await createEngine();
    const alone = await run(one, devices, request);
    for (const options of [{ threads: 2 }, { threads: 3, partNanoseconds: 0 }]) {
      await using engine = await createEngine(options);
      const shared = await run(engine, devices, request);
      t.true(sameBits(shared, alone));
      t.deepEqual(losses(shared), losses(alone));
    }
  });
}
