import test from 'ava';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { PlanRequest, Walk } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import type { IterationKind } from '../../src/program/messages.ts';
import { iterationKey, type IterationProgram, type Program } from '../../src/program/program.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';

const MODEL = zooModel('yolov2-front', [256, 256]);
const BATCH = 2;

function compile(request: PlanRequest, kind: IterationKind): Program {
  const plan = makePlan(MODEL, ['a'], { batch: BATCH, request });
  return compileProgram(MODEL, plan, 0, {
    framing: TEST_FRAMING,
    optimizer: TEST_SGD,
    normalization: { mean: [], deviation: [] },
    writers: [],
    variants: [{ kind, samples: BATCH }],
  });
}

/** Bytes of temporary buffers. */
function temporary(walk: Walk, kind: IterationKind = 'train'): number {
  const { arenaBytes, storage } = compile({ grid: [1, 1], ...walk }, kind);
  return arenaBytes - storage.end;
}

function iteration(walk: Walk, kind: IterationKind = 'train'): IterationProgram {
  return compile({ grid: [1, 1], ...walk }, kind).iterations.get(iterationKey(kind, BATCH))!;
}

test('recomputation takes less memory, and strips of what is recomputed less still', (t) => {
  const sizes = [{}, ...[1, 2, 4].map((strips): Walk => ({ recompute: true, strips }))].map((walk) => temporary(walk));
  t.true(
    sizes.every((size, k) => k === 0 || size < 0.95 * sizes[k - 1]!),
    sizes.join(', '),
  );
});

test('strips without recomputation change evaluation, where nothing is kept, and leave training as it is', (t) => {
  t.true(temporary({ strips: 4 }, 'evaluate') < 0.5 * temporary({}, 'evaluate'));
  t.deepEqual(iteration({ strips: 4 }).backward, iteration({}).backward);
  t.deepEqual(iteration({ strips: 4 }).forward, iteration({}).forward);
  t.notDeepEqual(iteration({ strips: 4 }, 'evaluate').forward, iteration({}, 'evaluate').forward);
});

test('weights, slots and images keep their places, however stages are walked', (t) => {
  const { storage } = compile({ grid: [1, 1] }, 'train');
  t.deepEqual(compile({ grid: [1, 1], recompute: true, strips: 4 }, 'train').storage, storage);
});

test('a stage in one strip adds no gradients of strips', (t) => {
  const adds = (walk: Walk) =>
    iteration(walk).backward.flatMap(({ calls }) => calls[0].filter(({ kind }) => kind === 'add')).length;
  t.is(adds({ recompute: true }), adds({}));
  t.true(adds({ recompute: true, strips: 2 }) > adds({}));
});
