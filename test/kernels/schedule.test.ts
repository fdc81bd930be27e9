import test from 'ava';
import fc from 'fast-check';

import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { schedule, spareBytes, type Round } from '../../src/kernels/schedule.ts';
import { PART_NANOSECONDS, type Crew } from '../../src/kernels/work.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { contiguous } from '../../src/tensor/view.ts';
import { programOf, recipes } from './random-programs.ts';
import { forAll } from './sandbox.ts';

const everything = (threads: number): Crew => ({ threads, partNanoseconds: 0 });

/** Calls of a round, with those of different threads in an order that follows `choices`. */
function interleave(round: Round, choices: readonly number[]): readonly KernelCall[] {
  const queues = round.map((calls) => [...calls]);
  const result: KernelCall[] = [];
  for (let i = 0; ; i++) {
    const waiting = queues.filter((queue) => queue.length > 0);
    if (waiting.length === 0) return result;
    result.push(waiting[choices[i % choices.length]! % waiting.length]!.shift()!);
  }
}

test('a schedule leaves the same bytes as its calls one after the other, however fast each thread is', async (t) => {
  const cases = fc.record({
    recipe: recipes,
    threads: fc.integer({ min: 1, max: 4 }),
    choices: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 30 }),
  });
  let rounds = 0;
  let calls = 0;
  await forAll(
    cases,
    async ({ recipe, threads, choices }, sandbox) => {
      const program = programOf(sandbox, recipe);
      const bytes = spareBytes(program.calls, everything(threads));
      const spare = sandbox.take(bytes);
      const made = schedule(program.calls, everything(threads), spare);
      rounds += made.length;
      calls += program.calls.length;
      t.true(made.every((round) => round.length <= threads));
      const mixed = made.flatMap((round) => interleave(round, choices));
      const engine = createReferenceEngine();
      const wanted = await sandbox.execute(engine, program.calls);
      t.deepEqual(await sandbox.execute(engine, mixed), wanted);
    },
    100,
  );
  t.true(rounds < calls, 'every call has a barrier');
});

const add = (source: number, target: number, extent: readonly [number, number, number, number]): KernelCall => ({
  kind: 'add',
  source: contiguous(source, extent),
  target: contiguous(target, extent),
});

test('calls that go sample by sample need no barrier between them', (t) => {
  const extent = [4, 2, 3, 3] as const;
  const calls = [add(1024, 2048, extent), add(2048, 4096, extent), add(4096, 8192, extent)];
  const rounds = schedule(calls, everything(2), 0);
  t.deepEqual(
    rounds.map((round) => round.map((list) => list.length)),
    [[3, 3]],
  );
});

test('a call waits for another thread whose result it reads, and only then', (t) => {
  const calls = [add(1024, 2048, [2, 1, 1, 8]), add(2048, 4096, [1, 1, 1, 16]), add(1024, 8192, [2, 1, 1, 1])];
  const rounds = schedule(calls, everything(2), 0);
  t.deepEqual(
    rounds.map((round) => round.map((list) => list.length)),
    [
      [1, 1],
      [2, 1],
    ],
  );
});

test('what is small stays with the first thread, and wakes no other', (t) => {
  const crew: Crew = { threads: 4, partNanoseconds: PART_NANOSECONDS };
  const calls = [add(1024, 2048, [4, 1, 1, 8]), add(2048, 4096, [4, 1, 1, 8]), add(1024, 8192, [4, 1, 1, 8])];
  t.deepEqual(schedule(calls, crew, 0), [[calls]]);
});

test('large calls that cannot be cut go to different threads', (t) => {
  const crew: Crew = { threads: 2, partNanoseconds: PART_NANOSECONDS };
  const checksum = (offset: number, target: number): KernelCall => ({
    kind: 'checksum',
    offset,
    bytes: 1 << 20,
    target,
  });
  const calls = [checksum(1 << 20, 64), checksum(2 << 20, 128), checksum(3 << 20, 128), checksum(4 << 20, 64)];
  t.deepEqual(schedule(calls, crew, 0), [
    [
      [calls[0], calls[3]],
      [calls[1], calls[2]],
    ],
  ]);
});

test('nothing to do takes no rounds', (t) => {
  t.deepEqual(schedule([], everything(4), 0), []);
});
