import test from 'ava';
import fc from 'fast-check';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { PlanRequest, Walk } from '../../src/planner/plan.ts';
import type { Tensor } from '../../src/tensor/handle.ts';
import { distance, formatDistance, losses, sameBits } from '../support/agreement.ts';
import { openCluster, trainInMemory, type ClusterOutcome } from '../support/memory-cluster.ts';
import { randomDataset } from '../support/memory-data.ts';
import { ODD, type Odd } from '../support/odd-networks.ts';
import { plannedNetworks } from '../support/random-networks.ts';

const engine = await createEngine();

test.after.always(() => engine.close());

const WALKS: readonly (readonly [string, Walk])[] = [
  ['recomputed', { recompute: true }],
  ['in a strip for every half of the batch', { recompute: true, strips: 2 }],
  ['in more strips than samples', { recompute: true, strips: 25 }],
];

function train({ model, rate, seed }: Odd, devices: number, request: PlanRequest): Promise<ClusterOutcome> {
  return trainInMemory({
    model,
    request,
    devices,
    // Four batches of six, then one of four.
    train: randomDataset(model.input, 3, 28),
    batch: 6,
    steps: 6,
    rate,
    seed,
    writers: Array.from({ length: devices }, (_, rank) => rank),
    engine: () => engine,
  });
}

function walkedByHand({ byHand }: Odd, walk: Walk): PlanRequest {
  return 'grid' in byHand ? byHand : { stages: byHand.stages.map((stage) => ({ ...stage, ...walk })) };
}

for (const odd of ODD) {
  test(`${odd.what}: stages that are recomputed, in strips or not, take the steps of one node that keeps everything`, async (t) => {
    const single = await train(odd, 1, { grid: [1, 1] });
    for (const [name, walk] of WALKS) {
      const plans: readonly (readonly [string, number, PlanRequest])[] = [
        ['one node', 1, { grid: [1, 1], ...walk }],
        ['2x2', 4, { grid: [2, 2], ...walk }],
        ['by hand', 3, walkedByHand(odd, walk)],
      ];
      for (const [cut, devices, request] of plans) {
        const outcome = await train(odd, devices, request);
        const apart = distance(outcome, single);
        t.log(`${name}, ${cut}: ${formatDistance(apart)}`);
        t.true(apart.loss <= 5e-6, name);
        t.true(apart.gradients <= 5e-6, name);
        t.true(apart.weights <= 1e-5, name);
        if (devices === 1) t.is(losses(outcome)[0], losses(single)[0], 'forward has the same bits');
      }
    }
  });

  test(`${odd.what}: repeated in strips, the same bits`, async (t) => {
    const request = walkedByHand(odd, { recompute: true, strips: 4 });
    t.true(sameBits(await train(odd, 3, request), await train(odd, 3, request)));
  });
}

/** Outputs of all stages in the first step, by rank and stage. */
async function outputs(model: Model, devices: number, batch: number, request: PlanRequest): Promise<Float32Array[][]> {
  const data = randomDataset(model.input, 3, batch);
  await using cluster = await openCluster({
    model,
    request,
    devices,
    train: data,
    batch,
    steps: 1,
    engine: () => engine,
  });
  return await Promise.all(
    cluster.members.map(async ({ run }) => {
      const values: Float32Array[] = [];
      let x: Tensor = (await run.nextBatch())!.images;
      for (const stage of cluster.plan.stages.keys()) {
        x = await run.forward(stage, x);
        values.push(x.read());
      }
      return values;
    }),
  );
}

test('forward in strips has the same bits as in one go, for any network and any way to cut it', async (t) => {
  await fc.assert(
    fc.asyncProperty(plannedNetworks, fc.integer({ min: 2, max: 9 }), async ({ model, plan }, strips) => {
      const stages = plan.stages.map(({ layers, partition, grid }) => ({ layers, partition, grid }));
      const walked = stages.map((stage) => ({ ...stage, recompute: true, strips }));
      const of = (request: PlanRequest) => outputs(model, plan.devices.length, plan.batch, request);
      t.deepEqual(await of({ stages: walked }), await of({ stages }));
    }),
    { numRuns: 40 },
  );
});

test('mode fast in strips, with Winograd in every pass that has it: repeated, the same bits, and a falling loss', async (t) => {
  const model = zooModel('yolov2-front', [64, 64]);
  const passes = { forward: 'winograd', inputGradient: 'winograd', weightGradient: 'winograd' } as const;
  const names = model.layers.flatMap((layer) => (layer.kind === 'conv2d' ? [layer.name] : []));
  const convolutions = Object.fromEntries(names.map((name) => [name, passes]));
  const run = () =>
    trainInMemory({
      model,
      request: { grid: [1, 2], recompute: true, strips: 6 },
      kernels: { mode: 'fast', wide: [false, true], convolutions },
      devices: 2,
      train: randomDataset(model.input, 3, 4),
      batch: 2,
      steps: 2,
      rate: 0.01,
      engine: () => engine,
    });
  const [first, second] = [await run(), await run()];
  t.true(sameBits(first, second));
  t.true(losses(first).at(-1)! < losses(first)[0]!);
});
