import test from 'ava';
import fc from 'fast-check';
import {
  EMPTY_BOX,
  boxOf,
  contains,
  cut,
  extentOf,
  formatBox,
  intersect,
  isEmpty,
  length,
  volume,
  withRange,
  type Box,
  type Range,
} from '../../src/tensor/box.ts';

const range = fc.tuple(fc.integer({ min: -3, max: 8 }), fc.integer({ min: -3, max: 8 })) as fc.Arbitrary<Range>;
const box = fc.tuple(range, range, range, range) as fc.Arbitrary<Box>;
const cell = fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: -4, max: 9 })));

const has = (of: Box, at: readonly number[]) => of.every(([start, end], axis) => at[axis]! >= start && at[axis]! < end);

test('a cell lies in the intersection of two boxes exactly when it lies in both', (t) => {
  fc.assert(
    fc.property(box, box, cell, (a, b, at) => {
      t.is(has(intersect(a, b), at), has(a, at) && has(b, at));
      t.deepEqual(intersect(a, b), intersect(b, a));
    }),
    { numRuns: 1000 },
  );
});

test('a box contains another when intersecting takes nothing away from it', (t) => {
  fc.assert(
    fc.property(box, box, (outer, inner) => {
      t.is(contains(outer, inner), volume(intersect(outer, inner)) === volume(inner));
    }),
    { numRuns: 1000 },
  );
});

test('boxes that only touch do not meet, and what does not meet is one and the same empty box', (t) => {
  const left = boxOf([2, 3, 4, 5]);
  const right = withRange(left, 3, [5, 9]);
  t.is(intersect(left, right), EMPTY_BOX);
  t.true(isEmpty(EMPTY_BOX));
  t.true(contains(left, EMPTY_BOX));
  t.is(length([4, 2]), 0);
  t.is(volume(withRange(left, 1, [3, 3])), 0);
  t.deepEqual(extentOf(right), [2, 3, 4, 4]);
});

test('near-equal cuts follow each other from 0 to the extent and differ by at most one', (t) => {
  fc.assert(
    fc.property(fc.nat(500), fc.integer({ min: 1, max: 40 }), (extent, parts) => {
      const ranges = cut(extent, parts);
      t.is(ranges.length, parts);
      t.is(ranges[0]![0], 0);
      t.is(ranges.at(-1)![1], extent);
      t.true(ranges.slice(1).every(([start], k) => start === ranges[k]![1]));
      const lengths = ranges.map(length);
      t.true(Math.max(...lengths) - Math.min(...lengths) <= 1);
    }),
  );
});

test('a box reads as its axes and half-open ranges', (t) => {
  t.is(
    formatBox([
      [0, 64],
      [0, 6],
      [7, 14],
      [0, 7],
    ]),
    'n0:64 c0:6 y7:14 x0:7',
  );
});
