import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { farthest, losses } from '../support/agreement.ts';
import { relativeError } from '../support/lockstep.ts';
import { trainInMemory, type ClusterOptions, type ClusterOutcome } from '../support/memory-cluster.ts';
import { digits } from '../support/memory-data.ts';

const engine = await createEngine();
const train = await digits(70);

test.after.always(() => engine.close());

/** Twelve steps of batches of 20, 20, 20 and 10, over three epochs. */
function run(options: Partial<ClusterOptions> = {}): Promise<ClusterOutcome> {
  return trainInMemory({
    model: zooModel('lenet5'),
    request: { grid: [2, 2] },
    devices: 4,
    train,
    batch: 20,
    steps: 12,
    rate: 0.02,
    decay: 'linear',
    seed: 3,
    engine: () => engine,
    ...options,
  });
}

const whole = run();

for (const step of [1, 4, 7]) {
  test(`resumed after step ${step} on the same plan, a run ends with the undisturbed bits`, async (t) => {
    const { snapshots, checksums } = await whole;
    const resumed = await run({ startStep: step, initial: snapshots.get(step)!.tensors });
    t.deepEqual(resumed.checksums, checksums);
    t.deepEqual(losses(resumed), losses(await whole).slice(step));
    for (const [at, { tensors }] of resumed.snapshots) t.deepEqual(tensors, snapshots.get(at)!.tensors);
    t.deepEqual(
      [...resumed.snapshots.keys()],
      [...snapshots.keys()].filter((at) => at > step),
    );
  });
}

test('resumed with other grids and other numbers of nodes, a run takes the same steps', async (t) => {
  const { snapshots } = await whole;
  for (const grid of [
    [1, 1],
    [1, 3],
    [3, 2],
  ] as const) {
    const options = { request: { grid }, devices: grid[0] * grid[1], startStep: 5, initial: snapshots.get(5)!.tensors };
    const resumed = await run(options);
    const apart = farthest(resumed, await whole, 12, (name) => !name.startsWith('momentum.'));
    t.log(`${grid.join('x')}: weights ${apart.toExponential(1)}`);
    t.true(apart <= 1e-5);
    t.true(relativeError(losses(resumed), losses(await whole).slice(5)) <= 5e-6);
  }
});

test('without the momentum of the checkpoint it would be another run', async (t) => {
  const { snapshots, checksums } = await whole;
  const tensors = [...snapshots.get(5)!.tensors].filter(([name]) => !name.startsWith('momentum.'));
  const resumed = await run({ startStep: 5, initial: new Map(tensors) });
  t.notDeepEqual(resumed.checksums, checksums);
});
