import test from 'ava';
import fc from 'fast-check';
import { batchIndices } from '../../src/dataset/batches.ts';
import { schedule, variantsOf, type Iteration, type ScheduleOptions } from '../../src/training/schedule.ts';

const JOB: ScheduleOptions = {
  trainSamples: 10,
  testSamples: 5,
  batch: 4,
  steps: 7,
  startStep: 0,
  checkpointEverySteps: 2,
  seed: 1,
  shuffle: true,
};

/** `T` a training step, `E` a batch of the evaluation, `C` a checkpoint, each with the steps done before it. */
const letters = (list: readonly Iteration[]) =>
  list.map(({ kind, step }) => `${{ train: 'T', evaluate: 'E', checkpoint: 'C' }[kind]}${step}`).join(' ');

const jobs: fc.Arbitrary<ScheduleOptions> = fc.record({
  trainSamples: fc.integer({ min: 1, max: 40 }),
  testSamples: fc.nat(20),
  batch: fc.integer({ min: 1, max: 12 }),
  steps: fc.integer({ min: 1, max: 30 }),
  startStep: fc.constant(0),
  checkpointEverySteps: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(9),
  shuffle: fc.boolean(),
});

test('a checkpoint comes first, every so many steps and last; an evaluation ends each epoch and the job', (t) => {
  t.is(letters([...schedule(JOB)]), 'C0 T0 T1 C2 T2 E3 E3 T3 C4 T4 T5 C6 E6 E6 T6 C7 E7 E7');
  t.is(letters([...schedule({ ...JOB, testSamples: 0, steps: 3, checkpointEverySteps: 9 })]), 'C0 T0 T1 T2 C3');
});

test('only the last of the batches that evaluate says so', (t) => {
  const evaluations = [...schedule(JOB)].filter(({ kind }) => kind === 'evaluate');
  t.deepEqual(
    evaluations.map(({ last }) => last),
    [false, true, false, true, false, true],
  );
  t.deepEqual(
    evaluations.slice(0, 2).map(({ indices }) => [...indices]),
    [[0, 1, 2, 3], [4]],
  );
  t.true(evaluations.every(({ split }) => split === 'test'));
});

test('iterations of every kind are numbered from 0 without a gap', (t) => {
  fc.assert(
    fc.property(jobs, (job) => {
      const list = [...schedule(job)];
      t.deepEqual(
        list.map(({ iteration }) => iteration),
        list.map((_, k) => k),
      );
      t.is(list.filter(({ kind }) => kind === 'train').length, job.steps);
    }),
  );
});

test('each epoch of training sees every sample once, in the order of its shuffle', (t) => {
  fc.assert(
    fc.property(jobs, (job) => {
      const perEpoch = Math.ceil(job.trainSamples / job.batch);
      const steps = [...schedule(job)].filter(({ kind }) => kind === 'train');
      steps.forEach(({ step, epoch, indices }, k) => {
        t.is(step, k);
        t.is(epoch, Math.floor(k / perEpoch));
        t.deepEqual(indices, batchIndices({ ...job, count: job.trainSamples }, epoch)[k % perEpoch]!);
      });
    }),
  );
});

test('a resumed job goes on as the whole one would have: the same samples, checkpoints and evaluations', (t) => {
  fc.assert(
    fc.property(jobs, fc.nat(29), (job, done) => {
      const startStep = Math.min(done, job.steps - 1);
      const without = (each: Iteration) => ({ ...each, iteration: 0 });
      const resumed = [...schedule({ ...job, startStep })].map(without);
      // What is left begins with the training step after the checkpoint that the resumed job has read.
      const whole = [...schedule(job)];
      const first = whole.findIndex(({ kind, step }) => kind === 'train' && step === startStep);
      const rest = whole.slice(startStep === 0 ? 0 : first).map(without);
      t.deepEqual(resumed, rest);
    }),
  );
});

test('programs are compiled for exactly the kinds and sizes of iteration that occur', (t) => {
  const key = ({ kind, samples }: { kind: string; samples: number }) =>
    kind === 'checkpoint' ? kind : `${kind}:${samples}`;
  fc.assert(
    fc.property(jobs, (job) => {
      const perEpoch = Math.ceil(job.trainSamples / job.batch);
      const occurring = new Set([...schedule({ ...job, steps: perEpoch })].map(key));
      t.deepEqual(new Set(variantsOf(job).map(key).toSorted()), new Set([...occurring].toSorted()));
    }),
  );
  t.deepEqual(variantsOf(JOB), [
    { kind: 'train', samples: 4 },
    { kind: 'train', samples: 2 },
    { kind: 'evaluate', samples: 4 },
    { kind: 'evaluate', samples: 1 },
    { kind: 'checkpoint', samples: 4 },
  ]);
});
