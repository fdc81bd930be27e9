import test from 'ava';
import fc from 'fast-check';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { Walk } from '../../src/planner/plan.ts';
import { stageWork } from '../../src/planner/work.ts';
import { plannedNetworks } from '../support/random-networks.ts';

const LENET = zooModel('lenet5');

test('the stages of LeNet-5 on one device cost what their layers cost, twice in backward but for the images', (t) => {
  const plan = makePlan(LENET, ['node1'], { batch: 64, request: { grid: [1, 1] } });
  const work = (stage: number, samples: number) => stageWork(LENET, plan, { stage, rank: 0, samples });
  const conv1 = 6 * 28 * 28 * 25;
  const conv2 = 16 * 10 * 10 * 6 * 25;
  const dense = 400 * 120 + 120 * 84 + 84 * 10;
  t.deepEqual(work(0, 64), { forward: 64 * conv1, backward: 64 * conv1 });
  t.deepEqual(work(1, 64), { forward: 64 * conv2, backward: 128 * conv2 });
  t.deepEqual(work(2, 1), { forward: dense, backward: 2 * dense });
});

test('recomputing a stage costs its forward once more but for its last layer, strips what they overlap', (t) => {
  const work = (walk: Walk) => {
    const stages = [
      { layers: [0, 3], partition: 'single', ...walk },
      { layers: [3, 8], partition: 'single' },
    ] as const;
    const plan = makePlan(LENET, ['node1'], { batch: 1, request: { stages } });
    return stageWork(LENET, plan, { stage: 0, rank: 0, samples: 1 });
  };
  const row = 6 * 28 * 25;
  const conv2 = 16 * 10 * 10 * 6 * 25;
  t.deepEqual(work({}), { forward: 28 * row + conv2, backward: 28 * row + 2 * conv2 });
  t.deepEqual(work({ recompute: true }), { forward: 28 * row + conv2, backward: 56 * row + 2 * conv2 });
  // Each half of conv2's 10 rows needs 9 rows of the pooling, 18 of conv1.
  t.deepEqual(work({ recompute: true, strips: 2 }), { forward: 36 * row + conv2, backward: 72 * row + 2 * conv2 });
});

test('a stage costs nothing without samples or weights, and backward at most twice its forward, or three times where it is recomputed', (t) => {
  fc.assert(
    fc.property(plannedNetworks, ({ model, plan }) => {
      for (const [stage, { layers, recompute = false }] of plan.stages.entries()) {
        const weighted = model.layers.slice(...layers).some((layer) => 'name' in layer);
        for (const rank of plan.devices.keys()) {
          const { forward, backward } = stageWork(model, plan, { stage, rank, samples: plan.batch });
          t.true(weighted || forward === 0);
          t.true(backward >= forward && backward <= (recompute ? 3 : 2) * forward);
          t.deepEqual(stageWork(model, plan, { stage, rank, samples: 0 }), { forward: 0, backward: 0 });
        }
      }
    }),
  );
});

test('a step of the front of YOLOv2 costs 18.11 G multiply-adds at 416 x 416, 38.68 G at 608 and 5.25 G at 224', (t) => {
  const step = (size: number): number => {
    const model = zooModel('yolov2-front', [size, size]);
    const plan = makePlan(model, ['node1'], { batch: 1, request: { grid: [1, 1] } });
    const works = plan.stages.map((_, stage) => stageWork(model, plan, { stage, rank: 0, samples: 1 }));
    return works.reduce((sum, { forward, backward }) => sum + forward + backward, 0);
  };
  t.deepEqual(
    [416, 608, 224].map((size) => (step(size) / 1e9).toFixed(2)),
    ['18.11', '38.68', '5.25'],
  );
});
