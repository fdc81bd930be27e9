import test from 'ava';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import { METRICS } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import { iterationKey } from '../../src/program/program.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';

const MODEL = zooModel('lenet5');

/** Kinds of the calls with which rank 0 of so many devices updates and checks its weights, and how often. */
function updateKinds(devices: number): Readonly<Record<string, number>> {
  const names = Array.from({ length: devices }, (_, rank) => `node${rank}`);
  const plan = makePlan(MODEL, names, { batch: 4, request: { grid: [1, devices] } });
  const program = compileProgram(MODEL, plan, 0, {
    framing: TEST_FRAMING,
    optimizer: TEST_SGD,
    normalization: { mean: [], deviation: [] },
    writers: [],
    variants: [{ kind: 'train', samples: 4 }],
  });
  const { update, apply } = program.iterations.get(iterationKey('train', 4))!;
  const kinds = [...update, apply].flatMap(({ calls }) => calls[0].map(({ kind }) => kind));
  const buckets = new Set(plan.parameters.filter(({ name }) => name !== METRICS).map(({ stage }) => stage)).size;
  return {
    ...Object.fromEntries([...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => [kind, all.length])),
    buckets,
  };
}

test('one device alone updates from its own gradients: nothing is added, copied or checksummed', (t) => {
  // Zeroed and added: the metrics; zeroed: the checksum of each bucket, three stages.
  t.deepEqual(updateKinds(1), { zero: 1 + 3, add: 1, sgd: 10, buckets: 3 });
});

test('an owner among others adds all contributions, and checksums what others hold too', (t) => {
  const { add = 0, sgd = 0, checksum = 0 } = updateKinds(2);
  t.is(add, 2 * sgd + 2);
  t.true(checksum > sgd);
});
