import test from 'ava';
import fc from 'fast-check';
import { zooModel } from '../../src/model/zoo.ts';
import { clipStage, makePlan } from '../../src/planner/make-plan.ts';
import { METRICS, type Plan } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import {
  bucketsOf,
  channelOf,
  contributorsOf,
  messageTable,
  momentumName,
  type IterationKind,
  type Message,
} from '../../src/program/messages.ts';
import { iterationKey } from '../../src/program/program.ts';
import type { Model } from '../../src/model/layers.ts';
import { boxOf, intersect, isEmpty, volume } from '../../src/tensor/box.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';
import { plannedNetworks } from '../support/random-networks.ts';

const kinds = fc.constantFrom<IterationKind>('train', 'evaluate', 'checkpoint');

function table(model: Model, plan: Plan, kind: IterationKind, samples = plan.batch, writers = [0]): readonly Message[] {
  const stages = plan.stages.map((stage) => clipStage(model, stage, samples));
  return messageTable({ plan, stages, kind, writers, momentum: true });
}

test('ids count from 0, nothing goes to its sender, and bytes are those of the boxes', (t) => {
  fc.assert(
    fc.property(plannedNetworks, kinds, fc.integer({ min: 1, max: 5 }), ({ model, plan }, kind, samples) => {
      const messages = table(model, plan, kind, Math.min(samples, plan.batch));
      t.deepEqual(
        messages.map(({ id }) => id),
        messages.map((_, id) => id),
      );
      for (const { from, to, bytes, parts } of messages) {
        t.not(from, to);
        t.true(parts.length > 0 && parts.every(({ box }) => !isEmpty(box)));
        t.is(bytes, 4 * parts.reduce((sum, { box }) => sum + volume(box), 0));
      }
    }),
  );
});

test('there is one message for each purpose, stage and pair of devices', (t) => {
  fc.assert(
    fc.property(plannedNetworks, kinds, ({ model, plan }, kind) => {
      const keys = table(model, plan, kind).map(({ purpose, stage, from, to }) => `${purpose} ${stage} ${from} ${to}`);
      t.is(new Set(keys).size, keys.length);
    }),
  );
});

test('the programs of all devices hold the same table, with a slot at the receiver and a region at the sender for each message', (t) => {
  fc.assert(
    fc.property(plannedNetworks, kinds, ({ model, plan }, kind) => {
      const variants = [{ kind, samples: plan.batch }];
      const options = {
        framing: TEST_FRAMING,
        optimizer: TEST_SGD,
        normalization: { mean: [], deviation: [] },
        writers: [0],
      };
      const iterations = plan.devices.map((_, rank) =>
        compileProgram(model, plan, rank, { ...options, variants }).iterations.get(iterationKey(kind, plan.batch))!,
      );
      const expected = table(model, plan, kind);
      iterations.forEach(({ messages, slots, sends }, rank) => {
        t.deepEqual(messages, expected);
        const ids = (of: 'from' | 'to') => expected.filter((message) => message[of] === rank).map(({ id }) => id);
        t.deepEqual([...slots[0].keys()], ids('to'));
        t.deepEqual([...slots[1].keys()], ids('to'));
        t.deepEqual([...sends.keys()], ids('from'));
      });
    }),
    { numRuns: 40 },
  );
});

test('every message is sent by one phase of its sender and waited for by one phase of its receiver', (t) => {
  fc.assert(
    fc.property(plannedNetworks, kinds, ({ model, plan }, kind) => {
      const variants = [{ kind, samples: plan.batch }];
      const options = {
        framing: TEST_FRAMING,
        optimizer: TEST_SGD,
        normalization: { mean: [], deviation: [] },
        writers: [0],
      };
      plan.devices.forEach((_, rank) => {
        const program = compileProgram(model, plan, rank, { ...options, variants }).iterations.get(
          iterationKey(kind, plan.batch),
        )!;
        const { forward, loss, backward, reduce, update, apply, gather, messages } = program;
        const phases = [...forward, loss, ...backward, ...reduce, ...update, apply, gather];
        const sorted = (ids: readonly number[]) => ids.toSorted((a, b) => a - b);
        const of = (side: 'from' | 'to') => messages.filter((message) => message[side] === rank).map(({ id }) => id);
        t.deepEqual(sorted(phases.flatMap(({ send }) => send.map(({ id }) => id))), of('from'));
        t.deepEqual(sorted(phases.flatMap(({ receive, collect }) => [...receive, ...collect])), of('to'));
      });
    }),
    { numRuns: 40 },
  );
});

test('a phase sends to the next higher rank first, so that links do not collide', (t) => {
  const plan = makePlan(zooModel('lenet5'), ['a', 'b', 'c', 'd'], { batch: 8, request: { grid: [2, 2] } });
  const variants = [{ kind: 'train', samples: 8 } as const];
  const options = {
    framing: TEST_FRAMING,
    optimizer: TEST_SGD,
    normalization: { mean: [], deviation: [] },
    writers: [0],
  };
  const program = compileProgram(zooModel('lenet5'), plan, 2, { ...options, variants }).iterations.get('train:8')!;
  t.deepEqual(
    program.forward[0]!.send.map(({ to }) => to),
    [3, 0, 1],
  );
  t.deepEqual(
    program.reduce[2]!.send.map(({ to }) => to),
    [3, 0, 1],
  );
});

test('gradients reach each piece from all other contributors, new values all other holders', (t) => {
  fc.assert(
    fc.property(plannedNetworks, fc.integer({ min: 1, max: 5 }), ({ model, plan }, wanted) => {
      const samples = Math.min(wanted, plan.batch);
      const messages = table(model, plan, 'train', samples);
      const stages = plan.stages.map((stage) => clipStage(model, stage, samples));
      for (const parameter of plan.parameters) {
        for (const { box, owner } of parameter.pieces) {
          const carrying = (purpose: string) =>
            messages.filter(
              (message) =>
                message.purpose === purpose &&
                message.parts.some((part) => part.tensor === parameter.name && part.box === box),
            );
          const others = (ranks: readonly number[]) => ranks.filter((rank) => rank !== owner);
          t.deepEqual(
            carrying('gradient').map(({ from }) => from),
            others(contributorsOf(parameter, stages)),
          );
          t.true(carrying('gradient').every(({ to }) => to === owner));
          t.deepEqual(
            carrying('weights').map(({ to }) => to),
            others(parameter.holders),
          );
          t.true(carrying('weights').every(({ from }) => from === owner));
        }
      }
    }),
  );
});

test('a smaller batch carries the same boxes with fewer samples, and leaves devices without samples out', (t) => {
  const model = zooModel('lenet5');
  const plan = makePlan(model, ['a', 'b', 'c', 'd'], { batch: 8, request: { grid: [2, 2] } });
  const full = table(model, plan, 'train');
  const smaller = table(model, plan, 'train', 3);
  const halos = (messages: readonly Message[], stage: number) =>
    messages.filter(({ purpose, stage: of }) => purpose === 'forward' && of === stage);
  t.is(halos(full, 1).length, halos(smaller, 1).length);
  halos(smaller, 1).forEach(({ parts: [part] }, k) => {
    t.deepEqual(part!.box, intersect(halos(full, 1)[k]!.parts[0]!.box, boxOf([3, 1e6, 1e6, 1e6])));
  });
  // Two samples a device: the third begins the second device's, the others have none.
  t.deepEqual([...new Set(halos(smaller, 2).map(({ to }) => to))], [1, 0]);
  const dense = smaller.filter(({ purpose, stage }) => purpose === 'gradient' && stage === 2);
  t.true(dense.every(({ from }) => from < 2));
  const given = smaller.filter(({ purpose, stage }) => purpose === 'weights' && stage === 2);
  t.is(new Set(given.map(({ to }) => to)).size, 4);
});

test('gradients of inputs return only to stages that have parameters, or have them before', (t) => {
  const identity = { kind: 'identity' } as const;
  const pool = { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 } as const;
  const conv = {
    kind: 'conv2d',
    name: 'c',
    filters: 2,
    kernel: 3,
    stride: 1,
    padding: 1,
    activation: identity,
  } as const;
  const model: Model = { name: 'm', input: [1, 16, 16], layers: [pool, conv, pool, pool], loss: 'meanSquares' };
  const plan = makePlan(model, ['a', 'b'], {
    batch: 2,
    request: {
      stages: [
        { layers: [0, 1], partition: 'tiles', grid: [1, 2] },
        { layers: [1, 2], partition: 'tiles', grid: [1, 2] },
        { layers: [2, 4], partition: 'tiles', grid: [2, 1] },
      ],
    },
  });
  const returned = table(model, plan, 'train').filter(({ purpose }) => purpose === 'backward');
  t.deepEqual([...new Set(returned.map(({ stage }) => stage))], [2]);
});

test('an evaluation carries activations and metrics, nothing else', (t) => {
  fc.assert(
    fc.property(plannedNetworks, ({ model, plan }) => {
      for (const { purpose, parts } of table(model, plan, 'evaluate')) {
        t.true(purpose === 'forward' || parts.every(({ tensor }) => tensor === METRICS));
      }
    }),
  );
});

test('before a checkpoint every writer receives all momentum and the weights it does not hold, from their owners', (t) => {
  fc.assert(
    fc.property(plannedNetworks, fc.boolean(), ({ model, plan }, everybody) => {
      const writers = everybody ? [...plan.devices.keys()] : [0];
      const messages = table(model, plan, 'checkpoint', plan.batch, writers);
      for (const to of writers) {
        const arriving = messages
          .filter((message) => message.to === to)
          .flatMap(({ from, parts }) => parts.map((part) => ({ from, ...part })));
        for (const { name, pieces, holders } of plan.parameters.filter(({ name }) => name !== METRICS)) {
          const foreign = pieces.filter(({ owner }) => owner !== to);
          const sent = (tensor: string) =>
            arriving.filter((part) => part.tensor === tensor).map(({ from, box }) => ({ owner: from, box }));
          t.deepEqual(
            sent(momentumName(name)),
            foreign.map(({ owner, box }) => ({ owner, box })).toSorted((a, b) => a.owner - b.owner),
          );
          t.is(sent(name).length, holders.includes(to) ? 0 : foreign.length);
        }
      }
      t.true(messages.every(({ to, purpose }) => writers.includes(to) && purpose === 'gather'));
    }),
  );
});

test('buckets hold every piece once, by stage and owner, and halos go before them on a channel of their own', (t) => {
  const plan = makePlan(zooModel('lenet5'), ['a', 'b', 'c'], { batch: 8, request: { grid: [1, 3] } });
  const buckets = bucketsOf(plan);
  t.deepEqual(
    buckets.flatMap(({ parts }) => parts.map(({ box }) => box)).length,
    plan.parameters.flatMap(({ pieces }) => pieces).length,
  );
  t.is(new Set(buckets.map(({ stage, owner }) => `${stage} ${owner}`)).size, buckets.length);
  t.deepEqual((['forward', 'backward', 'gradient', 'weights', 'gather'] as const).map(channelOf), [
    'activation',
    'gradient',
    'weights',
    'weights',
    'weights',
  ]);
});

test('writers of a checkpoint send to each other before any of them waits', (t) => {
  const plan = makePlan(zooModel('lenet5'), ['a', 'b', 'c'], { batch: 8, request: { grid: [1, 3] } });
  const options = { framing: TEST_FRAMING, optimizer: TEST_SGD, normalization: { mean: [], deviation: [] } };
  const variants = [{ kind: 'checkpoint', samples: 8 } as const];
  for (const rank of [0, 1, 2]) {
    const program = compileProgram(zooModel('lenet5'), plan, rank, { ...options, writers: [0, 1, 2], variants });
    const { gather } = program.iterations.get('checkpoint')!;
    t.deepEqual(gather.receive, []);
    t.deepEqual([gather.send.length, gather.collect.length], [2, 2]);
  }
});
