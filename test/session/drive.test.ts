import test, { type ExecutionContext } from 'ava';
import type { Drive } from '../../src/session/context.ts';
import type { MemberResult } from '../../src/protocol/documents.ts';
import { Operator } from '../../src/session/operator.ts';
import type { Run } from '../../src/training/run.ts';
import { digitsJob, scratch, someDigits } from '../support/digits.ts';
import { startNodes } from '../support/nodes.ts';

/** A person with wires: every call of a step one by one, the next batch asked for by the update. */
const byHand: Drive = async (run, { plan }) => {
  for (let batch = await run.nextBatch(); batch; batch = await run.nextBatch()) {
    const activations = [await run.forward(0, batch.images)];
    for (let stage = 1; stage < plan.stages.length; stage++) {
      activations.push(await run.forward(stage, activations.at(-1)!));
    }
    let gradient = (await run.loss(activations.at(-1)!)).gradient;
    for (const activation of activations.toReversed()) gradient = await run.backward(activation, gradient);
    for (const stage of plan.stages.keys()) await run.reduce(stage);
    await run.update();
  }
  return run.result();
};

/** Trains a few steps on two nodes of this process. @param drives by rank; undefined is the trainer */
async function train(
  t: ExecutionContext,
  drives: readonly (Drive | undefined)[],
): Promise<ReadonlyMap<string, MemberResult>> {
  const directory = await scratch(t);
  const job = digitsJob(await someDigits(directory, 160, 64), { plan: { grid: '1x2' } });
  await using cluster = await startNodes(2, (rank) => (drives[rank] ? { drive: drives[rank] } : {}));
  await using operator = await Operator.connect(cluster.url, cluster.cluster);
  const text = JSON.stringify(job);
  const accepted = await cluster.nodes[0]!.submit({
    text,
    directory,
    source: 'job.yaml',
    resume: false,
    writers: 'first',
  });
  return await operator.follow(accepted, () => {});
}

function checksums(results: ReadonlyMap<string, MemberResult>): readonly (string | undefined)[] {
  return [...results.values()].map(({ weightsChecksum }) => weightsChecksum);
}

test('a node that is driven by hand and one with the trainer give the bits of two trainers', async (t) => {
  const trained = checksums(await train(t, [undefined, undefined]));
  const mixed = checksums(await train(t, [byHand, undefined]));
  t.is(trained.length, 2);
  t.is(new Set([...trained, ...mixed]).size, 1);
});

test('a driver that gives up ends the run on every node, with its own words', async (t) => {
  const givesUp: Drive = async (run) => {
    await run.nextBatch();
    throw new Error('the wire to forward is cut');
  };
  await t.throwsAsync(train(t, [undefined, givesUp]), { message: /the wire to forward is cut/ });
});

test('a driver that does not notice that the run was stopped does not hold it', async (t) => {
  let held: Run | undefined;
  const sleeps: Drive = async (run) => {
    held = run;
    await run.nextBatch();
    return new Promise(() => {});
  };
  const fails: Drive = async (run) => {
    await run.nextBatch();
    throw new Error('enough');
  };
  await t.throwsAsync(train(t, [sleeps, fails]), { message: /enough/ });
  t.true(held!.signal.aborted);
});

test('a result is not to be had before the end', async (t) => {
  const hasty: Drive = async (run) => {
    await run.nextBatch();
    return run.result();
  };
  await t.throwsAsync(train(t, [hasty, undefined]), { code: 'outOfOrder' });
});
