import test from 'ava';
import { Telemetry, type EpochDocument, type StepDocument } from '../../src/telemetry/telemetry.ts';
import type { EpochEvent, StepEvent } from '../../src/training/events.ts';

const MEMORY = { predictedBytes: 1, idleBytes: 2, residentBytes: 3, peakBytes: 4 };
const NETWORK = { bytesSent: 1, bytesReceived: 2, resent: 3, duplicates: 4, rejected: { crc: 5 } };

interface Post {
  readonly kind: string;
  readonly document: object;
}

function open(): { telemetry: Telemetry; posts: Post[] } {
  const posts: Post[] = [];
  const telemetry = new Telemetry({
    run: 'r',
    post: (kind, document) => posts.push({ kind, document }),
    memory: () => MEMORY,
    network: () => NETWORK,
  });
  return { telemetry, posts };
}

function step(n: number, more: Partial<StepEvent> = {}): StepEvent {
  const times = { stepMs: 20, computeMs: 12, waitMs: 5 };
  return { kind: 'step', epoch: 0, step: n, steps: 100, loss: 1 / n, correct: 48, samples: 64, ...times, ...more };
}

const epoch = (n: number): EpochEvent => ({
  kind: 'epoch',
  epoch: n,
  step: 10 * (n + 1),
  testLoss: 0.5,
  testAccuracy: 0.9,
  testSamples: 100,
});

function documents(posts: readonly Post[], kind: 'step'): readonly StepDocument[];
function documents(posts: readonly Post[], kind: 'epoch'): readonly EpochDocument[];
function documents(posts: readonly Post[], kind: string): readonly object[];
function documents(posts: readonly Post[], kind: string): readonly object[] {
  return posts.filter((post) => post.kind === kind).map(({ document }) => document);
}

test('steps of the same second become one document: the latest figures, means of the times, every loss', (t) => {
  const { telemetry, posts } = open();
  for (let n = 1; n <= 10; n++) telemetry.take(step(n, { stepMs: n <= 5 ? 10 : 30 }));
  t.deepEqual(posts, [], 'nothing before its time');
  telemetry.close();
  const [document, ...others] = documents(posts, 'step');
  t.is(others.length, 0);
  t.is(document!.step, 10);
  t.is(document!.loss, 0.1);
  t.is(document!.accuracy, 0.75);
  t.is(document!.stepMs, 20);
  t.is(document!.imagesPerSecond, 3200);
  t.is(document!.secondsLeft, 0.02 * 90);
  t.deepEqual(document!.losses.slice(0, 2), [
    [1, 1],
    [2, 0.5],
  ]);
  t.is(document!.losses.length, 10);
});

test('totals and history cover every step, however many one document carries', (t) => {
  const { telemetry, posts } = open();
  for (let n = 1; n <= 2000; n++) telemetry.take(step(n));
  telemetry.close();
  t.deepEqual(telemetry.totals, { samples: 128_000, stepMs: 40_000, computeMs: 24_000, waitMs: 10_000 });
  t.is(telemetry.history.length, 2000);
  const { losses } = documents(posts, 'step')[0]!;
  t.is(losses.length, 512);
  t.is(losses.at(-1)![0], 2000);
});

test('an epoch is told after the steps that led to it; of several within a second the last one', (t) => {
  const { telemetry, posts } = open();
  telemetry.take(step(10));
  telemetry.take(epoch(0));
  telemetry.take(epoch(1));
  t.deepEqual(posts, []);
  telemetry.close();
  t.deepEqual(
    documents(posts, 'epoch').map((document) => document.epoch),
    [1],
  );
  t.deepEqual(
    posts.map(({ kind }) => kind),
    ['step', 'epoch', 'memory', 'network'],
  );
});

test('a loss without classes has no accuracy, not one of nought', (t) => {
  const { telemetry, posts } = open();
  telemetry.take(step(1, { correct: undefined }));
  telemetry.take({ ...epoch(0), testAccuracy: undefined });
  telemetry.close();
  t.is(documents(posts, 'step')[0]!.loss, 1);
  t.is(documents(posts, 'epoch')[0]!.testLoss, 0.5);
  t.notRegex(JSON.stringify(posts), /accuracy/iu);
});

test('closing tells memory and network once more, and only the first time', (t) => {
  const { telemetry, posts } = open();
  telemetry.close();
  telemetry.close();
  t.deepEqual(posts, [
    { kind: 'memory', document: { run: 'r', ...MEMORY } },
    { kind: 'network', document: { run: 'r', ...NETWORK } },
  ]);
});

test('while training goes on, memory and network are told every second and steps only when there are new ones', async (t) => {
  const { telemetry, posts } = open();
  t.teardown(() => telemetry.close());
  telemetry.take(step(1));
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (documents(posts, 'memory').length < 2) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
  t.is(documents(posts, 'step').length, 1);
  t.is(documents(posts, 'network').length, documents(posts, 'memory').length);
});
