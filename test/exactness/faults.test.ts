import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import type { Faults } from '../../src/transport/faults.ts';
import { sameBits } from '../support/agreement.ts';
import { trainInMemory, type ClusterOutcome } from '../support/memory-cluster.ts';
import { digits } from '../support/memory-data.ts';

const engine = await createEngine();
const train = await digits(96);
const images = await digits(20);

test.after.always(() => engine.close());

/** Six steps, four checkpoints and two evaluations on four nodes; what is lost is sent again soon. */
function run(faults?: Faults): Promise<ClusterOutcome> {
  return trainInMemory({
    model: zooModel('lenet5'),
    request: { grid: [2, 2] },
    devices: 4,
    train,
    test: images,
    batch: 32,
    steps: 6,
    checkpointEverySteps: 2,
    timing: { resendMs: 25, resendLimitMs: 200, freedMs: 25 },
    engine: () => engine,
    ...(faults ? { faults } : {}),
  });
}

const undisturbed = run();

type Trace = 'resent' | 'duplicates' | 'rejected';
const TRACES: readonly Trace[] = ['resent', 'duplicates', 'rejected'];

/** Chunks sent again, chunks that came twice, or frames refused, on all nodes together. */
function count({ statistics }: ClusterOutcome, trace: Trace): number {
  const counts = statistics.map((node) =>
    trace === 'rejected' ? Object.values(node.rejected).reduce((sum, frames) => sum + frames, 0) : node[trace],
  );
  return counts.reduce((sum, frames) => sum + frames, 0);
}

/** What went wrong, the faults, and what every run counts because of them. */
const FAULTS: readonly (readonly [string, Omit<Faults, 'seed'>, readonly Trace[]])[] = [
  ['frames late and out of order', { delay: 0.4, delayMs: 60 }, ['resent', 'duplicates']],
  ['frames twice', { duplicate: 0.5 }, ['duplicates']],
  ['frames lost', { drop: 0.05 }, ['resent']],
  ['frames damaged', { flip: 0.02 }, ['resent', 'rejected']],
  ['connections cut', { cut: 0.3 }, ['resent']],
  ['everything at once', { delay: 0.1, delayMs: 12, duplicate: 0.1, drop: 0.03, flip: 0.01, cut: 0.01 }, TRACES],
];

for (const [what, faults, traces] of FAULTS) {
  for (const seed of [1, 2, 3]) {
    test(`${what} (seed ${seed}): training ends with the undisturbed bits`, async (t) => {
      const outcome = await run({ ...faults, seed });
      for (const trace of traces) t.true(count(outcome, trace) > 0, trace);
      t.true(sameBits(outcome, await undisturbed));
      t.deepEqual(outcome.checksums, (await undisturbed).checksums);
      t.deepEqual(
        outcome.results.map(({ testLoss, testAccuracy }) => [testLoss, testAccuracy]),
        (await undisturbed).results.map(({ testLoss, testAccuracy }) => [testLoss, testAccuracy]),
      );
    });
  }
}
