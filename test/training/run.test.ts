import test, { type ExecutionContext } from 'ava';
import { RunError } from '../../src/errors.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { Model } from '../../src/model/layers.ts';
import { isEmpty, volume } from '../../src/tensor/box.ts';
import { Tensor } from '../../src/tensor/handle.ts';
import type { Run } from '../../src/training/run.ts';
import { losses, sameBits } from '../support/agreement.ts';
import { openCluster, trainInMemory, type Cluster, type ClusterOptions } from '../support/memory-cluster.ts';
import { randomDataset } from '../support/memory-data.ts';

const engine = await createEngine();

test.after.always(() => engine.close());

const MODEL: Model = {
  name: 'small',
  input: [1, 9, 9],
  layers: [
    { kind: 'conv2d', name: 'c', filters: 3, kernel: 3, stride: 1, padding: 1, activation: { kind: 'relu' } },
    { kind: 'maxPool', kernel: 3, stride: 3, padding: 0 },
    { kind: 'flatten' },
    { kind: 'dense', name: 'd', units: 4, activation: { kind: 'identity' } },
  ],
  loss: 'softmaxCrossEntropy',
};

const JOB: ClusterOptions = {
  model: MODEL,
  request: { grid: [1, 2] },
  devices: 2,
  train: randomDataset(MODEL.input, 4, 22),
  test: randomDataset(MODEL.input, 4, 5),
  batch: 6,
  steps: 5,
  checkpointEverySteps: 2,
  engine: () => engine,
};

/** Does the same on every node at once. */
function everywhere<T>({ members }: Cluster, act: (run: Run, rank: number) => Promise<T>): Promise<T[]> {
  return Promise.all(members.map(({ run }, rank) => act(run, rank)));
}

/** One step through the public calls alone. @returns false at the end of the job */
async function stepByHand(run: Run): Promise<boolean> {
  const batch = await run.nextBatch();
  if (!batch) return false;
  const first = await run.forward(0, batch.images);
  const second = await run.forward(1, first);
  const { gradient } = await run.loss(second);
  const between = await run.backward(second, gradient);
  await run.backward(first, between);
  await run.reduce(0);
  await run.reduce(1);
  await run.update();
  return true;
}

async function refused(t: ExecutionContext, call: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(call, { instanceOf: RunError });
  t.is(error.code, code);
  t.regex(error.message, message);
}

test('driving a run by hand gives the bits that training to the end gives', async (t) => {
  const trained = await trainInMemory(JOB);
  await using cluster = await openCluster(JOB);
  await everywhere(cluster, async (run) => {
    while (await stepByHand(run));
  });
  const events = cluster.members.map((member) => member.events);
  const driven = { ...trained, snapshots: cluster.snapshots, events };
  t.is(losses(driven).length, 5);
  t.true(sameBits(driven, trained));
});

test('evaluations and checkpoints may be asked for when the schedule has them', async (t) => {
  await using cluster = await openCluster(JOB);
  const scores = await everywhere(cluster, async (run, rank) => {
    t.is(await run.save(), rank === 0 ? 'step 0' : undefined);
    for (let step = 0; step < 4; step++) await stepByHand(run);
    await run.save();
    return run.evaluate();
  });
  t.deepEqual(scores[0], scores[1]);
  t.is(scores[0]!.samples, 5);
  t.deepEqual([...cluster.snapshots.keys()], [0, 2, 4]);
});

test('what is asked for out of turn is refused, and nothing is lost by it', async (t) => {
  const trained = await trainInMemory(JOB);
  await using cluster = await openCluster(JOB);
  await everywhere(cluster, async (run) => {
    await refused(t, run.evaluate(), 'outOfOrder', /got evaluate, want checkpoint, as the job's schedule says/);
    const batch = (await run.nextBatch())!;
    await refused(t, run.nextBatch(), 'outOfOrder', /got the next batch, want forward of stage 1/);
    await refused(t, run.save(), 'outOfOrder', /want forward of stage 1/);
    await refused(t, run.update(), 'outOfOrder', /want forward of stage 1/);
    const first = await run.forward(0, batch.images);
    await refused(t, run.loss(first), 'foreignTensor', /stage 1, want one of stage 2/);
    await refused(t, run.reduce(1), 'outOfOrder', /want forward of stage 2/);
    const second = await run.forward(1, first);
    await refused(t, run.backward(second, second), 'outOfOrder', /got backward of stage 2, want loss/);
    const { gradient } = await run.loss(second);
    await refused(t, run.backward(first, first), 'outOfOrder', /want backward of stage 2/);
    const between = await run.backward(second, gradient);
    await run.reduce(1);
    await refused(t, run.reduce(1), 'outOfOrder', /want backward of stage 1/);
    await run.backward(first, between);
    await refused(t, run.update(), 'outOfOrder', /got update, want reduce of stage 1/);
    await run.reduce(0);
    await run.update();
    while (await stepByHand(run));
  });
  const events = cluster.members.map((member) => member.events);
  t.true(sameBits({ ...trained, snapshots: cluster.snapshots, events }, trained));
});

test('handles cover the owned boxes, can be read until the next call, and then expire', async (t) => {
  await using cluster = await openCluster(JOB);
  await everywhere(cluster, async (run, rank) => {
    const batch = (await run.nextBatch())!;
    t.is(batch.images.read().length, volume(batch.images.box));
    const first = await run.forward(0, batch.images);
    t.deepEqual(first.box, cluster.plan.stages[0]!.owned[rank]);
    const values = first.read();
    t.is(values.length, volume(first.box));
    t.true(values.some((value) => value > 0) && values.every((value) => value >= 0));
    const second = await run.forward(1, first);
    const expired = t.throws(() => first.read(), { instanceOf: RunError });
    t.is(expired.code, 'tensorExpired');
    t.notThrows(() => batch.images.read(), 'images last for the step');
    const { gradient } = await run.loss(second);
    const rows = gradient.read();
    t.is(rows.length, volume(cluster.plan.stages[1]!.owned[rank]!));
    // Softmax less one-hot: the gradient of every sample adds up to nothing.
    for (let n = 0; n < rows.length / 4; n++) {
      t.true(Math.abs(rows.subarray(4 * n, 4 * n + 4).reduce((sum, value) => sum + value, 0)) < 1e-7);
    }
    const between = await run.backward(second, gradient);
    t.is(between.read().length, volume(between.box));
    t.true(isEmpty((await run.backward(first, between)).box), 'nobody asks for the gradient of the images');
    await run.reduce(0);
    await run.reduce(1);
    await run.update();
    const next = (await run.nextBatch())!;
    t.is(t.throws(() => batch.images.read(), { instanceOf: RunError }).code, 'tensorExpired');
    await refused(t, run.forward(0, batch.images), 'tensorExpired', /tensor of step 1 expired/);
    await run.forward(0, next.images);
  });
});

test('images of a handle are the pixels of the batch, normalised', async (t) => {
  const normalization = { mean: [0.5], deviation: [0.25] };
  await using cluster = await openCluster({ ...JOB, shuffle: false, normalization });
  const pixels = new Uint8Array(6 * 81);
  await JOB.train.read([0, 1, 2, 3, 4, 5], pixels);
  await everywhere(cluster, async (run) => {
    const { images, samples, step, epoch } = (await run.nextBatch())!;
    t.deepEqual([samples, step, epoch], [6, 0, 0]);
    const expected = Float32Array.from(pixels, (byte) => (byte / 255 - 0.5) / 0.25);
    t.true(images.read().every((value, i) => Math.abs(value - expected[i]!) < 1e-6));
  });
});

test('tensors of another run are refused', async (t) => {
  await using cluster = await openCluster(JOB);
  await using other = await openCluster({ ...JOB, run: 'feedfeedfeedfeed' });
  const [mine, theirs] = [
    await everywhere(cluster, async (run) => (await run.nextBatch())!),
    await everywhere(other, async (run) => (await run.nextBatch())!),
  ];
  const { run } = cluster.members[0]!;
  await refused(
    t,
    run.forward(0, theirs[0]!.images),
    'foreignTensor',
    /of run feedfeedfeedfeed, want one of run 0123456789abcdef/,
  );
  const { iteration, step, stage, box } = mine[0]!.images;
  const forged = new Tensor({ run: 'forged', iteration, step, stage, box }, () => new Float32Array());
  await refused(t, run.forward(0, forged), 'foreignTensor', /of run forged/);
  await t.notThrowsAsync(run.forward(0, mine[0]!.images));
});

test('a step that nobody advances fails, and so does every call after it', async (t) => {
  await using cluster = await openCluster({ ...JOB, stallMs: 30 });
  const batches = await everywhere(cluster, async (run) => (await run.nextBatch())!);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await everywhere(cluster, async (run, rank) => {
    await refused(
      t,
      run.forward(0, batches[rank]!.images),
      'stepStalled',
      /step 1 stalled: nobody asked for forward of stage 1 for/,
    );
    await refused(t, run.nextBatch(), 'stepStalled', /forward of stage 1/);
  });
});

test('between steps nobody is in a hurry', async (t) => {
  await using cluster = await openCluster({ ...JOB, stallMs: 200 });
  await everywhere(cluster, stepByHand);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.deepEqual(await everywhere(cluster, stepByHand), [true, true]);
});

test('a paused run ends its step and begins no other until it goes on, and its peers wait for it', async (t) => {
  const trained = await trainInMemory(JOB);
  await using cluster = await openCluster({ ...JOB, stallMs: 100 });
  const [first, second] = cluster.members;
  const ends = Promise.all(cluster.members.map(({ run }) => run.train()));
  await new Promise((resolve) => setImmediate(resolve));
  first!.run.pause();
  first!.run.pause();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const steps = first!.events.filter(({ kind }) => kind === 'step').length;
  t.true(steps < 5);
  t.false(first!.run.signal.aborted || second!.run.signal.aborted);
  first!.run.resume();
  await ends;
  const events = cluster.members.map((member) => member.events);
  t.true(sameBits({ ...trained, snapshots: cluster.snapshots, events }, trained));
});

test('a paused run can be stopped', async (t) => {
  await using cluster = await openCluster(JOB);
  const { run } = cluster.members[0]!;
  run.pause();
  const waiting = t.throwsAsync(run.nextBatch(), { message: 'enough' });
  run.abort(new Error('enough'));
  await waiting;
  cluster.members[1]!.run.abort(new Error('over'));
});

test('an abort ends what waits for others, with its reason, and the first reason stays', async (t) => {
  await using cluster = await openCluster(JOB);
  const [first, second] = cluster.members;
  const reason = new Error('enough');
  // Alone, the first node waits for the momentum of the second.
  const waiting = t.throwsAsync(first!.run.train(), { message: 'enough' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  first!.run.abort(reason);
  first!.run.abort(new Error('again'));
  t.is(await waiting, reason);
  await t.throwsAsync(first!.run.nextBatch(), { message: 'enough' });
  second!.run.abort(reason);
});

test('a signal stops training with its reason, before it begins and in the middle', async (t) => {
  await using cluster = await openCluster(JOB);
  const aborted = AbortSignal.abort(new Error('not today'));
  await t.throwsAsync(cluster.members[0]!.run.train(aborted), { message: 'not today' });
  const controller = new AbortController();
  const ends = cluster.members.map(({ run }) => t.throwsAsync(run.train(controller.signal), { message: 'stop now' }));
  setImmediate(() => controller.abort(new Error('stop now')));
  await Promise.all(ends);
});

test('a run that is closed refuses every call, and closing again does nothing', async (t) => {
  await using cluster = await openCluster(JOB);
  const { run } = cluster.members[0]!;
  await run.close();
  await run.close();
  await refused(t, run.nextBatch(), 'runClosed', /closed/);
  cluster.members[1]!.run.abort(new Error('over'));
});

test('closing waits for a checkpoint that is being written', async (t) => {
  const written = Promise.withResolvers<string>();
  const began = Promise.withResolvers<void>();
  const write = () => {
    began.resolve();
    return written.promise;
  };
  await using cluster = await openCluster({ ...JOB, write });
  const driven = cluster.members.map(({ run }) => run.nextBatch().catch(() => {}));
  await began.promise;
  let closed = false;
  const closing = cluster.members[0]!.run.close().then(() => (closed = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.false(closed);
  written.resolve('step 0');
  await closing;
  cluster.members[1]!.run.abort(new Error('over'));
  await Promise.all(driven);
});

test('at the end there is no next batch, however often it is asked for', async (t) => {
  await using cluster = await openCluster({ ...JOB, steps: 1 });
  await everywhere(cluster, async (run) => {
    t.true(await stepByHand(run));
    t.is(await run.nextBatch(), undefined);
    t.is(await run.nextBatch(), undefined);
    await refused(t, run.evaluate(), 'outOfOrder', /want the end/);
  });
});
