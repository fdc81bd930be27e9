import test from 'ava';
import fc from 'fast-check';
import { InputError } from '../../src/errors.ts';
import { parameterTensors } from '../../src/model/parameters.ts';
import { activationShapes } from '../../src/model/shapes.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { clipStage, makePlan } from '../../src/planner/make-plan.ts';
import { METRICS, type PlanRequest } from '../../src/planner/plan.ts';
import { boxOf, contains, extentOf, intersect, isEmpty, length, volume, type Box } from '../../src/tensor/box.ts';
import { plannedNetworks } from '../support/random-networks.ts';

const LENET = zooModel('lenet5');
const names = (count: number) => Array.from({ length: count }, (_, rank) => `node${rank + 1}`);
const plan = (devices: number, request: PlanRequest, batch = 64) => makePlan(LENET, names(devices), { batch, request });

/** Whether the boxes hold every cell of the whole exactly once. */
function coverOnce(whole: Box, boxes: readonly Box[]): boolean {
  const disjoint = boxes.every((box, i) => boxes.slice(i + 1).every((other) => isEmpty(intersect(box, other))));
  const cells = boxes.reduce((sum, box) => sum + volume(box), 0);
  return disjoint && boxes.every((box) => contains(whole, box)) && cells === volume(whole);
}

test('the boxes that devices own cover the output of every stage exactly once', (t) => {
  fc.assert(
    fc.property(plannedNetworks, ({ model, plan: { stages, batch, devices } }) => {
      const shapes = activationShapes(model);
      for (const { layers, owned, needed } of stages) {
        t.is(owned.length, devices.length);
        t.true(coverOnce(boxOf([batch, ...shapes[layers[1]]!]), owned));
        t.true(needed.every((box) => contains(boxOf([batch, ...shapes[layers[0]]!]), box)));
      }
    }),
  );
});

test('the pieces of every parameter cover it once, are cut along the first axis, and belong to devices that hold them', (t) => {
  fc.assert(
    fc.property(plannedNetworks, ({ model, plan: { parameters, stages } }) => {
      const tensors = parameterTensors(model);
      t.deepEqual(
        parameters.map(({ name }) => name),
        [...tensors.map(({ name }) => name), METRICS],
      );
      for (const { name, extent, pieces, holders, contributors, stage } of parameters) {
        t.true(
          coverOnce(
            boxOf(extent),
            pieces.map(({ box }) => box),
          ),
        );
        t.true(pieces.every(({ owner }) => holders.includes(owner)));
        t.true(
          pieces.every(({ box }) =>
            extentOf(box)
              .slice(1)
              .every((cells, axis) => cells === extent[axis + 1]),
          ),
        );
        t.deepEqual(
          contributors,
          stages[stage]!.owned.flatMap((box, rank) => (isEmpty(box) ? [] : [rank])),
        );
        if (name === METRICS || volume(boxOf(extent)) < 1024) t.is(pieces.length, 1);
      }
    }),
  );
});

test('LeNet-5 on four devices: one near-equal piece a holder of what has 1,024 values, the rest whole and in turn', (t) => {
  const owners = plan(4, { grid: [2, 2] }).parameters.map(({ name, pieces }) => [
    name,
    pieces.map(({ owner, box }) => `${owner}:${box[0].join('-')}`).join(' '),
  ]);
  t.deepEqual(owners, [
    ['conv1.weight', '0:0-6'],
    ['conv1.bias', '1:0-6'],
    ['conv2.weight', '0:0-4 1:4-8 2:8-12 3:12-16'],
    ['conv2.bias', '2:0-16'],
    ['fc1.weight', '0:0-30 1:30-60 2:60-90 3:90-120'],
    ['fc1.bias', '3:0-120'],
    ['fc2.weight', '0:0-21 1:21-42 2:42-63 3:63-84'],
    ['fc2.bias', '0:0-84'],
    ['fc3.weight', '1:0-10'],
    ['fc3.bias', '2:0-10'],
    ['metrics', '0:0-6'],
  ]);
});

test('a parameter of exactly 1,024 values is cut, one of 1,023 is not, and a piece that would be empty is left out', (t) => {
  const pieces = (inputs: number, units: number) => {
    const layers = [{ kind: 'dense', name: 'fc', units, activation: { kind: 'identity' } }] as const;
    const model = { name: 'wide', input: [inputs, 1, 1], layers, loss: 'meanSquares' } as const;
    const request = { stages: [{ layers: [0, 1] as const, partition: 'samples' as const }] };
    return makePlan(model, names(3), { batch: 3, request }).parameters[0]!.pieces.length;
  };
  t.is(pieces(512, 2), 2);
  t.is(pieces(128, 8), 3);
  t.is(pieces(341, 3), 1);
});

test('the grid shorthand tiles up to the last spatial layer, a new stage after each pooling, then cuts the batch', (t) => {
  const { stages, input } = plan(4, { grid: [2, 2] });
  t.deepEqual(
    stages.map(({ layers, partition, grid }) => [layers, partition, grid]),
    [
      [[0, 2], 'tiles', [2, 2]],
      [[2, 4], 'tiles', [2, 2]],
      [[4, 8], 'samples', undefined],
    ],
  );
  t.deepEqual(stages[0]!.owned[1], [
    [0, 64],
    [0, 6],
    [0, 7],
    [7, 14],
  ]);
  t.deepEqual(stages[0]!.needed[1], [
    [0, 64],
    [0, 1],
    [0, 16],
    [12, 28],
  ]);
  // 5x5 outputs: two rows above, three below; each row of pooling reads two of the convolution, each of those five.
  t.deepEqual(stages[1]!.owned[2], [
    [0, 64],
    [0, 16],
    [2, 5],
    [0, 2],
  ]);
  t.deepEqual(stages[1]!.needed[2], [
    [0, 64],
    [0, 6],
    [4, 14],
    [0, 8],
  ]);
  t.deepEqual(stages[2]!.owned[3], [
    [48, 64],
    [0, 10],
    [0, 1],
    [0, 1],
  ]);
  t.deepEqual(stages[2]!.needed[3], [
    [48, 64],
    [0, 16],
    [0, 5],
    [0, 5],
  ]);
  t.deepEqual(
    input,
    Array.from({ length: 4 }, () => boxOf([64, 1, 28, 28])),
  );
});

test('a plan says which stages are recomputed and walked in strips, and nothing of those that are not', (t) => {
  const walked = plan(4, { grid: [2, 2], recompute: true, strips: 3 });
  t.deepEqual(
    walked.stages.map(({ recompute, strips }) => [recompute, strips]),
    [
      [true, 3],
      [true, 2],
      [undefined, undefined],
    ],
  );
  t.deepEqual(plan(4, { grid: [2, 2], recompute: false, strips: 1 }), plan(4, { grid: [2, 2] }));
  const { stages } = plan(1, {
    stages: [
      { layers: [0, 4], partition: 'single', recompute: true },
      { layers: [4, 8], partition: 'samples', strips: 2 },
    ],
  });
  t.deepEqual(
    stages.map((stage) => Object.keys(stage)),
    [
      ['layers', 'partition', 'recompute', 'owned', 'needed'],
      ['layers', 'partition', 'strips', 'owned', 'needed'],
    ],
  );
});

test('a network of convolutions alone is one tiled stage, one of dense layers alone is cut by samples', (t) => {
  const identity = { kind: 'identity' } as const;
  const conv = {
    kind: 'conv2d',
    name: 'c',
    filters: 2,
    kernel: 3,
    stride: 1,
    padding: 1,
    activation: identity,
  } as const;
  const dense = { kind: 'dense', name: 'd', units: 2, activation: identity } as const;
  const kinds = (layers: readonly (typeof conv | typeof dense)[], input: readonly [number, number, number]) =>
    makePlan({ name: 'm', input, layers, loss: 'meanSquares' }, names(2), {
      batch: 4,
      request: { grid: [1, 2] },
    }).stages.map(({ layers: range, partition }) => [range, partition]);
  t.deepEqual(kinds([conv], [1, 4, 4]), [[[0, 1], 'tiles']]);
  t.deepEqual(kinds([dense], [5, 1, 1]), [[[0, 1], 'samples']]);
});

test('stages by hand may mix tiles of any grid, samples and one device', (t) => {
  const { stages, parameters } = plan(3, {
    stages: [
      { layers: [0, 1], partition: 'tiles', grid: [3, 1] },
      { layers: [1, 4], partition: 'single' },
      { layers: [4, 8], partition: 'samples' },
    ],
  });
  t.deepEqual(
    stages.map(({ partition }) => partition),
    ['tiles', 'single', 'samples'],
  );
  t.deepEqual(stages[1]!.owned.map(isEmpty), [false, true, true]);
  t.deepEqual(stages[1]!.needed.map(isEmpty), [false, true, true]);
  t.deepEqual(
    stages[2]!.owned.map((box) => length(box[0])),
    [21, 21, 22],
  );
  t.deepEqual(parameters.find(({ name }) => name === 'conv2.weight')!.holders, [0]);
  t.deepEqual(parameters.find(({ name }) => name === METRICS)!.holders, [0, 1, 2]);
});

const TILES = { layers: [0, 8], partition: 'tiles', grid: [2, 2] } as const;
const MISTAKES: readonly (readonly [string, PlanRequest, code: string, said: RegExp])[] = [
  [
    'a grid of another number of tiles',
    { grid: [2, 3] },
    'gridMismatch',
    /plan\.grid: grid 2x3 has 6 tiles, got 4 devices/,
  ],
  [
    'a stage of tiles without a grid',
    {
      stages: [
        { layers: [0, 2], partition: 'tiles' },
        { layers: [2, 8], partition: 'single' },
      ],
    },
    'gridMismatch',
    /plan\.stages\[0\]: partition tiles wants a grid/,
  ],
  [
    'tiles of a dense layer',
    { stages: [TILES] },
    'planStages',
    /no rows and columns to cut into tiles; use partition samples or single/,
  ],
  [
    'a gap between stages',
    {
      stages: [
        { layers: [0, 2], partition: 'single' },
        { layers: [3, 8], partition: 'single' },
      ],
    },
    'planStages',
    /plan\.stages\[1\]\.layers: got \[3, 8\], want \[2, n\] with n from 3 to 8/,
  ],
  [
    'an empty stage',
    { stages: [{ layers: [0, 0], partition: 'single' }] },
    'planStages',
    /got \[0, 0\], want \[0, n\]/,
  ],
  [
    'a stage beyond the last layer',
    { stages: [{ layers: [0, 9], partition: 'single' }] },
    'planStages',
    /n from 1 to 8/,
  ],
  [
    'layers that are left out',
    { stages: [{ layers: [0, 7], partition: 'single' }] },
    'planStages',
    /end at layer 7, want 8/,
  ],
  ['no stages', { stages: [] }, 'planStages', /end at layer 0, want 8/],
];

for (const [what, request, code, said] of MISTAKES) {
  test(`${what}: refused with ${code}, saying where and what is wanted`, (t) => {
    const error = t.throws(() => plan(4, request), { instanceOf: InputError, message: said });
    t.is(error.code, code);
  });
}

test('a grid finer than the feature map that it cuts is refused, one as fine as it is not', (t) => {
  const error = t.throws(() => plan(6, { grid: [6, 1] }), { instanceOf: InputError });
  t.is(error.code, 'gridTooFine');
  t.regex(error.message, /^plan\.grid: grid 6x1 is finer than the feature map of 5x5/);
  t.notThrows(() => plan(5, { grid: [5, 1] }));
});

test('a smaller batch is the same plan with ranges of samples clipped, and boxes without samples are empty', (t) => {
  fc.assert(
    fc.property(plannedNetworks, fc.integer({ min: 1, max: 5 }), ({ model, plan: whole }, wanted) => {
      const samples = Math.min(wanted, whole.batch);
      const smaller = makeSmaller();
      const shapes = activationShapes(model);
      smaller.forEach(({ owned, needed, layers }, s) => {
        t.true(coverOnce(boxOf([samples, ...shapes[layers[1]]!]), owned));
        owned.forEach((box, rank) => {
          const before = whole.stages[s]!;
          t.deepEqual(extentOf(box), extentOf(intersect(before.owned[rank]!, boxOf([samples, 1e6, 1e6, 1e6]))));
          if (!isEmpty(box)) t.deepEqual(needed[rank]!.slice(1), before.needed[rank]!.slice(1));
          t.is(isEmpty(needed[rank]!), isEmpty(box));
        });
      });
      function makeSmaller() {
        return whole.stages.map((stage) => clipStage(model, stage, samples));
      }
    }),
  );
});

test('a plan is plain JSON, and the same request gives the same plan', (t) => {
  const first = plan(4, { grid: [2, 2] });
  t.deepEqual(JSON.parse(JSON.stringify(first)), plan(4, { grid: [2, 2] }));
});
