import test from 'ava';
import fc from 'fast-check';
import { batchCount, batchIndices } from '../../src/dataset/batches.ts';

test('the batches of an epoch hold every sample once, and only the last may be smaller', (t) => {
  fc.assert(
    fc.property(
      fc.nat(200),
      fc.integer({ min: 1, max: 70 }),
      fc.boolean(),
      fc.nat(5),
      (count, batch, shuffle, epoch) => {
        const batches = batchIndices({ count, batch, seed: 1, shuffle }, epoch);
        const all = batches.flatMap((indices) => [...indices]);
        t.is(batches.length, batchCount(count, batch));
        t.deepEqual(
          all.toSorted((a, b) => a - b),
          Array.from({ length: count }, (_, i) => i),
        );
        t.true(batches.slice(0, -1).every((indices) => indices.length === batch));
      },
    ),
  );
});

test('without shuffling the order is that of the file, in every epoch', (t) => {
  const options = { count: 5, batch: 2, seed: 1, shuffle: false };
  t.deepEqual(
    batchIndices(options, 3).map((indices) => [...indices]),
    [[0, 1], [2, 3], [4]],
  );
});

test('each epoch has an order of its own, and the same one when it is asked for again', (t) => {
  const options = { count: 100, batch: 10, seed: 1, shuffle: true };
  t.deepEqual(batchIndices(options, 1), batchIndices(options, 1));
  t.notDeepEqual(batchIndices(options, 1), batchIndices(options, 2));
});
