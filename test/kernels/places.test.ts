import test from 'ava';
import fc from 'fast-check';

import { tilePlaces } from '../../src/kernels/places.ts';
import { FLOAT_BYTES, type View } from '../../src/tensor/view.ts';

const view = (columns: number, row: number): View => ({
  offset: 0,
  extent: [1, 1, 2, columns],
  strides: [0, 0, row * FLOAT_BYTES, FLOAT_BYTES],
});

/** Pixels (row · columns + column) that tiles at these places fill, in the view of the given part of a place. */
function pixels(places: readonly (readonly number[])[], half: number, part: 0 | 2): readonly number[] {
  return places.flatMap((place) =>
    [place[part]!, place[part]! + place[part + 1]!].flatMap((start) =>
      Array.from({ length: half }, (_, i) => start / FLOAT_BYTES + i),
    ),
  );
}

test('tiles fill one row, or two, and nothing beyond them', (t) => {
  const shapes = fc.record({
    half: fc.constantFrom(4, 8),
    beyond: fc.integer({ min: 0, max: 60 }),
    gaps: fc.tuple(fc.nat(9), fc.nat(9)),
  });
  fc.assert(
    fc.property(shapes, ({ half, beyond, gaps }) => {
      const columns = half + beyond;
      const [from, to] = gaps.map((gap) => columns + gap) as [number, number];
      const places = tilePlaces({ source: view(columns, from), target: view(columns, to) }, half);
      for (const [part, row] of [
        [0, from],
        [2, to],
      ] as const) {
        const wanted = (rows: number) =>
          Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns) * row + (i % columns));
        const filled = (list: typeof places.row) => [...new Set(pixels(list, half, part))].toSorted((a, b) => a - b);
        t.deepEqual(filled(places.row), wanted(1));
        t.deepEqual(filled(places.pair), wanted(2));
      }
    }),
    { seed: 1 },
  );
});

test('tiles of two rows are as few as can be', (t) => {
  for (const [columns, half, tiles] of [
    [38, 4, 10],
    [36, 4, 9],
    [13, 4, 4],
    [5, 4, 2],
    [20, 8, 3],
  ] as const) {
    t.is(tilePlaces({ source: view(columns, columns), target: view(columns, columns) }, half).pair.length, tiles);
  }
});
