import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import type { Grid } from '../../src/planner/plan.ts';
import type { EpochEvent, StepEvent } from '../../src/training/events.ts';
import { farthest, losses, sameBits } from '../support/agreement.ts';
import { relativeError } from '../support/lockstep.ts';
import { trainInMemory, type ClusterOptions, type ClusterOutcome } from '../support/memory-cluster.ts';
import { digits, randomDataset } from '../support/memory-data.ts';
import { ODD } from '../support/odd-networks.ts';

const engine = await createEngine();
const train = await digits(50);
const images = await digits(21);

test.after.always(() => engine.close());

/** Batches of 16, 16, 16 and 2, so that the last leaves nodes without samples; two epochs; the same for the test images. */
function run(grid: Grid, options: Partial<ClusterOptions> = {}): Promise<ClusterOutcome> {
  return trainInMemory({
    model: zooModel('lenet5'),
    request: { grid },
    devices: grid[0] * grid[1],
    train,
    test: images,
    batch: 16,
    steps: 8,
    checkpointEverySteps: 3,
    rate: 0.02,
    seed: 2,
    engine: () => engine,
    ...options,
  });
}

const epochs = ({ events }: ClusterOutcome): readonly EpochEvent[] =>
  events[0]!.filter((event): event is EpochEvent => event.kind === 'epoch');

test('smaller last batches, evaluations and checkpoints in between do not part a cluster from one node', async (t) => {
  const single = await run([1, 1]);
  t.deepEqual([...single.snapshots.keys()], [0, 3, 6, 8]);
  const samples = single.events[0]!.filter((event): event is StepEvent => event.kind === 'step').map(
    (event) => event.samples,
  );
  t.deepEqual(samples, [16, 16, 16, 2, 16, 16, 16, 2]);
  for (const grid of [
    [2, 2],
    [2, 3],
  ] as const) {
    const outcome = await run(grid);
    const weights = farthest(outcome, single, 8, (name) => !name.startsWith('momentum.'));
    t.log(
      `${grid.join('x')}: weights ${weights.toExponential(1)}, losses ${relativeError(losses(outcome), losses(single)).toExponential(1)}`,
    );
    t.true(weights <= 1e-5);
    t.true(relativeError(losses(outcome), losses(single)) <= 5e-6);
    t.is(new Set(outcome.checksums).size, 1);
    epochs(single).forEach(({ step, testLoss, testAccuracy, testSamples }, k) => {
      const mine = epochs(outcome)[k]!;
      t.is(mine.step, step);
      t.is(mine.testSamples, testSamples);
      t.is(mine.testAccuracy, testAccuracy);
      t.true(relativeError([mine.testLoss], [testLoss]) <= 5e-6);
    });
    t.is(epochs(outcome).length, 2);
  }
});

test('all nodes report the same losses, scores and counts', async (t) => {
  const { events } = await run([2, 2]);
  const shared = events.map((list) =>
    list.flatMap((event) => {
      if (event.kind === 'step') return [[event.epoch, event.step, event.loss, event.correct, event.samples]];
      return event.kind === 'epoch' ? [[event.epoch, event.step, event.testLoss, event.testAccuracy]] : [];
    }),
  );
  for (const list of shared) t.deepEqual(list, shared[0]);
  t.is(shared[0]!.length, 8 + 2);
});

test('neither evaluations nor checkpoints change what training computes', async (t) => {
  const plain = await run([2, 2], { checkpointEverySteps: 100, test: train });
  const busy = await run([2, 2], { checkpointEverySteps: 1 });
  t.deepEqual(losses(plain), losses(busy));
  t.deepEqual(plain.checksums, busy.checksums);
});

test('a batch larger than the data set is all of it, and one of a single sample leaves all nodes but one without', async (t) => {
  for (const batch of [64, 1]) {
    const [single, outcome] = [
      await run([1, 1], { batch, steps: 2 }),
      await run([2, 2], { batch, steps: 2, writers: [0, 1, 2, 3] }),
    ];
    t.true(relativeError(losses(outcome), losses(single)) <= 5e-6);
    t.true(farthest(outcome, single, 2, () => true) <= 1e-5);
    t.is(new Set(outcome.checksums).size, 1);
  }
});

for (const [what, optimizer] of [
  ['weight decay', { weightDecay: 0.01, momentum: 0.9 }],
  ['no momentum', { momentum: 0 }],
  ['weight decay without momentum', { weightDecay: 0.01, momentum: 0 }],
] as const) {
  test(`with ${what} a cluster still takes the steps of one node`, async (t) => {
    const { model, byHand } = ODD[0]!;
    const job = { model, train: randomDataset(model.input, 3, 30), batch: 10, steps: 20, ...optimizer };
    const single = await run([1, 1], { ...job, test: randomDataset(model.input, 3, 7) });
    const weights = (name: string) => !name.startsWith('momentum.');
    for (const options of [
      { request: { grid: [2, 2] as const }, devices: 4 },
      { request: byHand, devices: 3 },
    ]) {
      const outcome = await run([1, 1], { ...job, ...options, test: randomDataset(model.input, 3, 7) });
      const apart = farthest(outcome, single, 20, weights);
      t.log(`weights ${apart.toExponential(1)}`);
      t.true(apart <= 1e-5);
      t.is(
        [...outcome.snapshots.get(20)!.tensors.keys()].some((name) => !weights(name)),
        optimizer.momentum !== 0,
      );
    }
    const other = await run([1, 1], { ...job, weightDecay: 0.02, momentum: 0.5 });
    t.false(sameBits(other, single));
  });
}
