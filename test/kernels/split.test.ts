import test from 'ava';
import fc from 'fast-check';

import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { spareScratchBytes, splitCall } from '../../src/kernels/split.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { contiguous } from '../../src/tensor/view.ts';
import { createModeEngine } from './mode-engine.ts';
import { CALLS, shapes } from './random-calls.ts';
import { forAll, type Sandbox } from './sandbox.ts';

const engines: readonly Engine[] = [
  createReferenceEngine(),
  await createModeEngine({ mode: 'strict' }),
  await createModeEngine({ mode: 'fast' }),
];
test.after.always(() => Promise.all(engines.map((engine) => engine.close())));

const cases = fc.record({
  shape: shapes,
  parts: fc.integer({ min: 2, max: 5 }),
  order: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 5, maxLength: 5 }),
});

/** Words that calls leave other than they were; scratch is not looked at. */
async function changes(sandbox: Sandbox, engine: Engine, calls: readonly KernelCall[], ignored: readonly Stretch[]) {
  const words = new Int32Array((await sandbox.execute(engine, calls)).buffer);
  const changed = new Map<number, number>();
  words.forEach((word, index) => {
    const hidden = ignored.some(({ start, bytes }) => index * 4 >= start && index * 4 < start + bytes);
    if (!hidden && word !== sandbox.integers[index]) changed.set(index, word);
  });
  return changed;
}

interface Stretch {
  readonly start: number;
  readonly bytes: number;
}

for (const [kind, make] of Object.entries(CALLS)) {
  test(`the parts of ${kind}, in any order, leave the bytes that the whole leaves, each its own`, async (t) => {
    let most = 1;
    await forAll(
      cases,
      async ({ shape, parts, order }, sandbox) => {
        const call = make(sandbox, shape);
        const spareBytes = spareScratchBytes(call, parts);
        const spare = sandbox.take(spareBytes);
        const split = splitCall(call, parts, spare);
        most = Math.max(most, split.length);
        t.true(split.length <= parts);
        const scratch = 'scratch' in call ? [{ start: call.scratch, bytes: spareScratchBytes(call, 2) }] : [];
        const ignored = [...scratch, { start: spare, bytes: spareBytes }];
        const shuffled = split.toSorted((a, b) => order[split.indexOf(a)]! - order[split.indexOf(b)]!);
        for (const engine of engines) {
          const whole = await changes(sandbox, engine, [call], ignored);
          t.deepEqual(await changes(sandbox, engine, shuffled, ignored), whole);
          const own = await Promise.all(split.map((part) => changes(sandbox, engine, [part], ignored)));
          t.is(
            own.reduce((sum, { size }) => sum + size, 0),
            new Set(own.flatMap((part) => [...part.keys()])).size,
            'two parts write the same bytes',
          );
        }
      },
      15,
    );
    t.true(most > 1, 'no case was split');
  });
}

test('parts are as even as blocks of sixteen channels, rows or samples allow', (t) => {
  const convolve = (samples: number, rows: number, height: number): KernelCall => ({
    kind: 'convolve',
    source: contiguous(64, [samples, 16, height, 8]),
    target: contiguous(64, [samples, rows, height, 8]),
    packed: 64,
    taps: [0],
    bias: 0,
    slope: 1,
  });
  const extentsOf = (call: KernelCall, parts: number) =>
    splitCall(call, parts).map((part) => (part.kind === 'convolve' ? part.target.extent : []));
  t.deepEqual(extentsOf(convolve(4, 8, 3), 2), [
    [2, 8, 3, 8],
    [2, 8, 3, 8],
  ]);
  t.deepEqual(
    extentsOf(convolve(1, 64, 13), 4),
    Array.from({ length: 4 }, () => [1, 16, 13, 8]),
  );
  t.deepEqual(extentsOf(convolve(1, 12, 16), 2), [
    [1, 12, 8, 8],
    [1, 12, 8, 8],
  ]);
  t.deepEqual(extentsOf(convolve(1, 3, 1), 4), [[1, 3, 1, 8]]);
});

test('the input gradient of a dense layer is cut by samples, and by inputs where samples are few', (t) => {
  const denseInput = (samples: number): KernelCall => ({
    kind: 'denseInput',
    targetGradient: contiguous(64, [samples, 10, 1, 1]),
    sourceGradient: contiguous(64, [samples, 4, 5, 5]),
    weights: 1024,
    weightsRow: 400,
  });
  const partsOf = (samples: number) =>
    splitCall(denseInput(samples), 2).map((part) =>
      part.kind === 'denseInput' ? [part.sourceGradient.extent, part.weights] : [],
    );
  t.deepEqual(partsOf(8), [
    [[4, 4, 5, 5], 1024],
    [[4, 4, 5, 5], 1024],
  ]);
  t.deepEqual(partsOf(1), [
    [[1, 48, 1, 1], 1024],
    [[1, 52, 1, 1], 1024 + 4 * 48],
  ]);
});

test('what depends on all values is not split', (t) => {
  const checksum: KernelCall = { kind: 'checksum', offset: 64, bytes: 1 << 20, target: 0 };
  t.deepEqual(splitCall(checksum, 4), [checksum]);
});
