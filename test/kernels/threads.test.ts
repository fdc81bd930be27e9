import type { Worker } from 'node:worker_threads';

import test from 'ava';

import type { Arena, Engine } from '../../src/kernels/engine.ts';
import type { KernelMode } from '../../src/kernels/loader.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { contiguous, type View } from '../../src/tensor/view.ts';
import { createModeEngine } from './mode-engine.ts';
import { programOf, recipes } from './random-programs.ts';
import { forAll } from './sandbox.ts';

/** Engines that share even the smallest calls. */
const start = (threads: number, mode: KernelMode = 'strict'): Promise<Engine> =>
  createModeEngine({ mode }, { threads, partNanoseconds: 0 });

const floatsOf = (arena: Arena): Float32Array => new Float32Array(arena.bytes.buffer, 0, arena.bytes.byteLength >> 2);

const samples = (offset: number, count: number): View => contiguous(offset, [count, 1, 1, 1]);

/** Calls between which every thread must wait for the others: sums of all samples, then the sum added to all samples. */
function rounds(count: number): readonly KernelCall[] {
  const sum: View = { ...samples(64, count), strides: [0, 0, 0, 0] };
  return [
    { kind: 'sumPlanes', source: samples(1024, count), target: 64 },
    { kind: 'copy', source: sum, target: samples(1024, count) },
  ];
}

for (const mode of ['strict', 'fast'] as const) {
  test(`random programs have the same bits with 1, 2, 3 and 4 threads in mode ${mode}`, async (t) => {
    const engines = await Promise.all([1, 2, 3, 4].map((threads) => start(threads, mode)));
    try {
      await forAll(
        recipes,
        async (recipe, sandbox) => {
          const { calls, scratch } = programOf(sandbox, recipe);
          const results = await Promise.all(engines.map((engine) => sandbox.execute(engine, calls)));
          const [alone, ...shared] = results.map((floats) => {
            const words = new Int32Array(floats.buffer);
            for (const { start: from, bytes } of scratch) words.fill(0, from / 4, (from + bytes) / 4);
            return words;
          });
          for (const words of shared) t.deepEqual(words, alone);
        },
        40,
      );
    } finally {
      await Promise.all(engines.map((engine) => engine.close()));
    }
  });
}

test('thousands of small submissions come to their end, each with every barrier', async (t) => {
  const [threads, count, submissions] = [4, 8, 2000];
  await using engine = await start(threads);
  const arena = await engine.allocate(4096);
  const floats = floatsOf(arena);
  // Each pair of calls multiplies all samples by their number: halve it in between.
  const [a, b] = [arena.compile([...rounds(count)]), arena.compile([...rounds(count), ...rounds(count)])];
  for (let i = 0; i < submissions; i += 2) {
    floats.fill(1, 256, 256 + count);
    await arena.run(a);
    t.is(floats[256 + count - 1], count);
    await Promise.all([arena.run(a), arena.run(b)]);
    t.is(floats[256], count ** 4);
  }
});

test('a submission that is aborted while another one runs is not begun by any thread', async (t) => {
  await using engine = await start(2);
  const arena = await engine.allocate(4096);
  const floats = floatsOf(arena);
  floats.fill(1, 256, 264);
  const submission = arena.compile(Array.from({ length: 10 }, () => rounds(8)).flat());
  const controller = new AbortController();
  const first = arena.run(submission);
  const second = arena.run(submission, controller.signal);
  controller.abort();
  await first;
  await t.throwsAsync(second, { name: 'AbortError' });
  t.is(floats[256], 8 ** 10);
});

test('a trap in one thread fails the submission, frees those who wait for it, and leaves the engine usable', async (t) => {
  await using engine = await start(3);
  const arena = await engine.allocate(4096);
  const floats = floatsOf(arena);
  const broken = arena.compile(rounds(8));
  const whole = arena.compile(rounds(8));
  // The block of the first thread's first call lies behind the arena; its first word is the opcode.
  new Int32Array(arena.bytes.buffer)[1024] = 99;
  for (let i = 0; i < 20; i++) {
    await t.throwsAsync(arena.run(broken), { code: 'kernelFailed', message: /unreachable/u });
    floats.fill(1, 256, 264);
    await arena.run(whole);
    t.is(floats[256], 8);
  }
});

/** Starts an engine and gets hold of its workers. */
async function withWorkers(threads: number): Promise<{ engine: Engine; workers: readonly Worker[] }> {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => void workers.push(worker);
  process.on('worker', note);
  const engine = await start(threads);
  process.off('worker', note);
  return { engine, workers };
}

for (const killed of [0, 2]) {
  test.serial(
    `a worker that is killed, number ${killed}, fails what runs and all that comes, and the others end`,
    async (t) => {
      const { engine, workers } = await withWorkers(3);
      t.is(workers.length, 3);
      const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
      const arena = await engine.allocate(4 << 20);
      floatsOf(arena).fill(1);
      const submission = arena.compile(Array.from({ length: 500 }, () => rounds(50_000)).flat());
      const running = arena.run(submission);
      const waiting = arena.run(submission);
      const closing = t.throwsAsync(running, { code: 'kernelFailed' });
      const refused = t.throwsAsync(waiting, { code: 'kernelFailed' });
      await workers[killed]!.terminate();
      await closing;
      await refused;
      await Promise.all(ended);
      await t.throwsAsync(arena.run(submission), { code: 'kernelFailed' });
      await t.throwsAsync(engine.allocate(256), { code: 'kernelFailed' });
      await engine.close();
    },
  );
}

test('an engine that is closed while it works ends what was submitted, with all threads', async (t) => {
  const engine = await start(4);
  const arena = await engine.allocate(4096);
  const floats = floatsOf(arena);
  floats.fill(1, 256, 264);
  const submission = arena.compile(rounds(8));
  const runs = [arena.run(submission), arena.run(submission)];
  await engine.close();
  await Promise.all(runs);
  t.is(floats[256], 64);
});

for (const threads of [0, 1.5, -1, 1000]) {
  test(`${threads} threads are refused`, async (t) => {
    await t.throwsAsync(createEngine({ threads }), { code: 'threads' });
  });
}
