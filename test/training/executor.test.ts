import test from 'ava';
import { Collective } from '../../src/collective/collective.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import type { Conv2d, Model } from '../../src/model/layers.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import type { IterationProgram } from '../../src/program/program.ts';
import { Executor, parityOf, programOf } from '../../src/training/executor.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';
import { SessionRecorder, type Sent } from '../support/session-recorder.ts';

const conv = (name: string): Conv2d => {
  return { kind: 'conv2d', name, filters: 2, kernel: 3, stride: 1, padding: 1, activation: { kind: 'relu' } };
};

const MODEL: Model = { name: 'two', input: [1, 4, 4], layers: [conv('a'), conv('b')], loss: 'meanSquares' };

/** The first of two devices, whose first stage sends one halo to the second. */
async function open() {
  const grid = [1, 2] as const;
  const stages = [
    { layers: [0, 1] as const, partition: 'tiles' as const, grid },
    { layers: [1, 2] as const, partition: 'tiles' as const, grid },
  ];
  const plan = makePlan(MODEL, ['a', 'b'], { batch: 2, request: { stages } });
  const program = compileProgram(MODEL, plan, 0, {
    framing: TEST_FRAMING,
    optimizer: TEST_SGD,
    normalization: { mean: [], deviation: [] },
    writers: [0, 1],
    variants: [
      { kind: 'train', samples: 2 },
      { kind: 'evaluate', samples: 2 },
      { kind: 'checkpoint', samples: 2 },
    ],
  });
  const session = new SessionRecorder();
  const abort = new AbortController();
  const arena = await createReferenceEngine().allocate(program.arenaBytes);
  const executor = new Executor(program, arena, new Collective(session, plan.devices, () => {}), abort.signal);
  const kind = (name: IterationProgram['kind']) => programOf(program, { kind: name, samples: 2 });
  return { executor, session, abort, train: kind('train'), evaluate: kind('evaluate'), checkpoint: kind('checkpoint') };
}

/** Whether it ends before everything else that is ready has run. */
async function endsNow(work: Promise<unknown>): Promise<boolean> {
  let ended = false;
  void work.then(() => (ended = true));
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return ended;
}

const end = (sent: readonly Sent[]) => sent.forEach((message) => message.end.resolve());

test('a phase does not write a send region again before its last content was acknowledged', async (t) => {
  const { executor, session, train } = await open();
  await executor.begin(0, train);
  await executor.run(train.forward[0]!);
  t.is(session.sent.length, 1);
  await executor.begin(1, train);
  const again = executor.run(train.forward[0]!);
  t.false(await endsNow(again));
  t.is(session.sent.length, 1);
  end(session.sent);
  await again;
  t.deepEqual(
    session.sent.map(({ iteration }) => iteration),
    [0, 1],
  );
});

test('another kind of iteration, whose regions lie elsewhere, begins only when all sends are acknowledged', async (t) => {
  const { executor, session, train, evaluate } = await open();
  await executor.begin(0, train);
  await executor.run(train.forward[0]!);
  const next = executor.begin(1, evaluate);
  t.false(await endsNow(next));
  end(session.sent);
  await next;
  t.true(executor.clock.waitMs >= 0);
});

test('a phase waits for what its calls read, and sends before it waits for what others collect', async (t) => {
  const { executor, session, train, checkpoint } = await open();
  await executor.begin(0, train);
  await executor.run(train.forward[0]!);
  t.deepEqual(session.awaited, []);
  await executor.run(train.forward[1]!);
  t.deepEqual(session.awaited, [[0, train.forward[1]!.receive]]);
  end(session.sent);
  await executor.begin(1, checkpoint);
  session.arrived = (_, messages) => {
    t.deepEqual(messages, checkpoint.gather.collect);
    t.is(session.sent.at(-1)!.iteration, 1, 'sent before it waits');
    return Promise.resolve();
  };
  await executor.run(checkpoint.gather);
  t.is(session.sent.length, 2);
});

test('slots of even and odd iterations are different bytes', async (t) => {
  const { executor, session, train } = await open();
  executor.expect(4, train);
  executor.expect(5, train);
  const [even, odd] = session.expected.map(([, slots]) => slots);
  t.deepEqual(
    even!.map(({ message }) => message),
    odd!.map(({ message }) => message),
  );
  t.true(even!.every(({ offset, bytes }, k) => odd![k]!.offset >= offset + bytes));
  t.deepEqual([parityOf(4), parityOf(5)], [0, 1]);
});

test('after an abort no phase runs', async (t) => {
  const { executor, session, abort, train } = await open();
  await executor.begin(0, train);
  abort.abort(new Error('over'));
  await t.throwsAsync(executor.run(train.forward[0]!), { message: 'over' });
  t.is(session.sent.length, 0);
});
