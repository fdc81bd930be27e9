import test from 'ava';
import fc from 'fast-check';

import { rowsTogether, tilePlaces, type PlaceList } from '../../src/kernels/places.ts';
import { FLOAT_BYTES, type View } from '../../src/tensor/view.ts';

const TILE_PIXELS = 8;

const view = (columns: number, row: number): View => ({
  offset: 0,
  extent: [1, 1, 1, columns],
  strides: [0, 0, row * FLOAT_BYTES, FLOAT_BYTES],
});

/** Pixels that tiles of a list fill, counted from its first row, in the view of the given part of a place. */
function pixelsOf({ places, beside }: PlaceList, half: number, part: 0 | 2): readonly number[] {
  const [run, runs] = beside === 4 ? [half, 2] : [beside, TILE_PIXELS / beside];
  return places.flatMap((place) =>
    Array.from({ length: runs * run }, (_, i) => {
      const start = place[part] + Math.floor(i / run) * place[part + 1]!;
      return start / FLOAT_BYTES + (i % run);
    }),
  );
}

/** Pixels of a strip of some rows, as the kernel fills it, list by list. */
function filled(
  lists: readonly PlaceList[],
  height: number,
  half: number,
  row: number,
  part: 0 | 2,
): readonly number[] {
  const pixels: number[] = [];
  let y = 0;
  for (const list of lists) {
    const end = y + Math.floor((height - y) / list.rows) * list.rows;
    for (let at = y; at < end; at += list.rows)
      pixels.push(...pixelsOf(list, half, part).map((pixel) => at * row + pixel));
    if (!list.stays) y = end;
  }
  return [...new Set(pixels)].toSorted((a, b) => a - b);
}

test('tiles fill all rows of a strip, and nothing beyond them', (t) => {
  const shapes = fc.record({
    half: fc.constantFrom(4, 8),
    beyond: fc.integer({ min: 0, max: 40 }),
    height: fc.integer({ min: 1, max: 20 }),
    gaps: fc.tuple(fc.nat(9), fc.nat(9)),
  });
  fc.assert(
    fc.property(shapes, ({ half, beyond, height, gaps }) => {
      const columns = half + beyond;
      const [from, to] = gaps.map((gap) => columns + gap) as [number, number];
      const lists = tilePlaces({ source: view(columns, from), target: view(columns, to) }, half);
      for (const [part, row] of [
        [0, from],
        [2, to],
      ] as const) {
        const wanted = Array.from(
          { length: height * columns },
          (_, i) => Math.floor(i / columns) * row + (i % columns),
        );
        t.deepEqual(filled(lists, height, half, row, part), wanted);
      }
    }),
    { seed: 1 },
  );
});

test('rows that end with one or two pixels are filled together with as few tiles as can be', (t) => {
  for (const [columns, rows, tiles] of [
    [38, 4, 19],
    [13, 8, 13],
    [15, 2, 4],
    [36, 2, 9],
  ] as const) {
    const lists = tilePlaces({ source: view(columns, columns), target: view(columns, columns) }, 4);
    t.is(rowsTogether(lists), rows);
    const together = lists.filter((list) => list.rows === rows);
    t.is(
      together.reduce((sum, { places }) => sum + places.length, 0),
      tiles,
    );
  }
});
