import test from 'ava';
import { RunError } from '../../src/errors.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { openCluster, trainInMemory, type Arrival, type ClusterOptions } from '../support/memory-cluster.ts';
import { digits, randomDataset } from '../support/memory-data.ts';
import { ODD } from '../support/odd-networks.ts';

const engine = await createEngine();
const train = await digits(64);

test.after.always(() => engine.close());

const JOB: ClusterOptions = {
  model: zooModel('lenet5'),
  request: { grid: [2, 2] },
  devices: 4,
  train,
  batch: 16,
  steps: 6,
  checkpointEverySteps: 100,
  engine: () => engine,
};

/** Flips the lowest bit of the first new weight that arrives at a rank in an iteration. */
function flipWeight(rank: number, at: number): (arrival: Arrival) => void {
  return ({ rank: here, iteration, messages, program, memory }) => {
    if (here !== rank || iteration !== at) return;
    const { slots, messages: table } = program.iterations.get('train:16')!;
    const weights = messages.find(
      (id) => table[id]!.purpose === 'weights' && table[id]!.parts[0]!.tensor !== 'metrics',
    );
    if (weights !== undefined) memory[slots[(at % 2) as 0 | 1].get(weights)!]! ^= 1;
  };
}

test('one bit of one weight that a holder took over wrongly stops the run, and says whose it is and who has it', async (t) => {
  // Iteration 0 is the first checkpoint, so iteration 3 is the third step.
  const error = await t.throwsAsync(trainInMemory({ ...JOB, tamper: flipWeight(2, 3) }), { instanceOf: RunError });
  t.is(error.code, 'weightsDisagree');
  t.regex(
    error.message,
    /^node3 holds other weights of (node1|node2|node4) than \1 itself after iteration 3: checksum [0-9a-f]{8}, want [0-9a-f]{8}/,
  );
});

/** Drives every node to its end without telling the others, and collects what stopped them. */
async function failures(options: ClusterOptions): Promise<readonly RunError[]> {
  await using cluster = await openCluster(options);
  const ends = await Promise.allSettled(cluster.members.map(({ run }) => run.train()));
  return ends.map((end) => (end.status === 'rejected' ? (end.reason as RunError) : new RunError('finished', '')));
}

test('a loss that overflows stops every node at the same step, and each says at which and where', async (t) => {
  const stopped = await failures({ ...JOB, rate: 1e12 });
  t.deepEqual(
    stopped.map(({ code }) => code),
    Array.from({ length: 4 }, () => 'lossNotFinite'),
  );
  t.is(new Set(stopped.map(({ message }) => message)).size, 1);
  t.regex(stopped[0]!.message, /at step [2-4] on (node\d(, )?)+; lower optimizer\.rate/);
});

test('pixels that overflow stop the first step, and only the nodes that saw it are named', async (t) => {
  // With 16 samples on four nodes each has four; the value that overflows is in every image.
  const everywhere = await failures({ ...JOB, normalization: { mean: [0], deviation: [1e-39] } });
  t.true(everywhere.every(({ code }) => code === 'lossNotFinite'));
  t.regex(everywhere[0]!.message, /at step 1 on node1, node2, node3, node4;/);
});

test('the node whose samples overflow is the one that is named', async (t) => {
  const { model } = ODD[0]!;
  const bytes = model.input[0] * model.input[1] * model.input[2];
  const data = randomDataset(model.input, 3, 8);
  // Images without light but one, the last of the batch: with this deviation any light overflows.
  const dark = {
    ...data,
    read: (indices: ArrayLike<number>, target: Uint8Array) => {
      Array.from(indices).forEach((index, k) => target.fill(index === 7 ? 255 : 0, k * bytes, (k + 1) * bytes));
      return Promise.resolve();
    },
  };
  const stopped = await failures({
    ...JOB,
    model,
    train: dark,
    batch: 8,
    shuffle: false,
    normalization: { mean: [0, 0, 0], deviation: [1e-39, 1e-39, 1e-39] },
  });
  t.true(stopped.every(({ code }) => code === 'lossNotFinite'));
  t.regex(stopped[0]!.message, /at step 1 on node4;/);
});
