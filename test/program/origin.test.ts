import test from 'ava';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { Walk } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import { iterationKey, type Phase } from '../../src/program/program.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';

const MODEL = zooModel('lenet5');

function phases(walk: Walk = {}) {
  const plan = makePlan(MODEL, ['a', 'b'], { batch: 4, request: { grid: [1, 2], ...walk } });
  const program = compileProgram(MODEL, plan, 1, {
    framing: TEST_FRAMING,
    optimizer: TEST_SGD,
    normalization: { mean: [], deviation: [] },
    writers: [],
    variants: [{ kind: 'train', samples: 4 }],
  });
  return program.iterations.get(iterationKey('train', 4))!;
}

/** Layers of the calls of one kind, in order. */
function layersOf(of: readonly Phase[], kind: KernelCall['kind']): readonly (number | undefined)[] {
  return of.flatMap(({ calls, layers }) => layers.filter((_, k) => calls[0][k]!.kind === kind));
}

test('every call of forward and backward says which layer of the model it works for, and calls of no layer say none', (t) => {
  const { forward, backward, loss, update, apply } = phases();
  t.deepEqual(layersOf(forward, 'convolve'), [0, 2]);
  t.deepEqual(layersOf(forward, 'maxPool'), [1, 3]);
  t.deepEqual(layersOf(forward, 'dense'), [5, 6, 7]);
  t.deepEqual(layersOf(forward, 'pixels'), [0]);
  t.deepEqual(layersOf(backward, 'convolveWeights'), [0, 2]);
  t.deepEqual(layersOf(backward, 'convolve'), [2]);
  t.deepEqual(layersOf(backward, 'denseWeights'), [7, 6, 5]);
  const none = [loss, ...update, apply].flatMap(({ layers }) => layers);
  t.true(none.length > 0 && none.every((layer) => layer === undefined));
});

test('there are as many layers as calls in every phase, in even and odd iterations', (t) => {
  const { forward, backward, loss, reduce, update, apply } = phases();
  for (const { calls, layers, recomputed } of [...forward, ...backward, loss, ...reduce, ...update, apply]) {
    t.deepEqual([calls[0].length, calls[1].length, recomputed.length], [layers.length, layers.length, layers.length]);
  }
});

test('calls of backward say whether they compute forward again: all layers but the last of a stage, for each strip', (t) => {
  const { forward, backward, loss } = phases({ recompute: true, strips: 2 });
  const again = (phase: Phase, kind: KernelCall['kind']) =>
    phase.calls[0].filter((call, k) => call.kind === kind && phase.recomputed[k]).length;
  t.deepEqual(
    backward.map((phase) => again(phase, 'convolve')),
    [2, 1, 0],
  );
  t.true(backward.every((phase) => again(phase, 'maxPool') === 0 && again(phase, 'convolveWeights') === 0));
  t.true([...forward, loss].every(({ recomputed }) => !recomputed.includes(true)));
  t.true(phases().backward.every(({ recomputed }) => !recomputed.includes(true)));
});
