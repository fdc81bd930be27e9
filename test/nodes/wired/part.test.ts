import test from 'ava';
import { partOf } from '../../../nodes/wired/part.ts';
import { makePlan } from '../../../src/planner/make-plan.ts';
import { zooModel } from '../../../src/model/zoo.ts';

const plan = (devices: number, grid: readonly [number, number]) =>
  makePlan(
    zooModel('lenet5'),
    Array.from({ length: devices }, (_, rank) => `node${rank + 1}`),
    { batch: 64, request: { grid } },
  );

test('only what is cut is shown', (t) => {
  t.is(partOf(plan(1, [1, 1]), 1, 0), '2');
  t.is(partOf(plan(4, [2, 2]), 0, 1), '1 · y0:7 x7:14');
  t.is(partOf(plan(2, [1, 2]), 0, 1), '1 · x7:14');
  t.is(partOf(plan(4, [2, 2]), 2, 3), '3 · n48:64');
});

test('a device without a part has nothing', (t) => {
  t.is(
    partOf(
      {
        stages: [
          {
            ...plan(1, [1, 1]).stages[0]!,
            owned: [
              [
                [0, 0],
                [0, 6],
                [0, 14],
                [0, 14],
              ],
            ],
          },
        ],
      },
      0,
      0,
    ),
    '1 · nothing here',
  );
});
