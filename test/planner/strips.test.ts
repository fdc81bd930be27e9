import test from 'ava';
import fc from 'fast-check';
import { zooModel } from '../../src/model/zoo.ts';
import { balancedWalks, stripBoxes } from '../../src/planner/strips.ts';
import { EMPTY_BOX, contains, intersect, isEmpty, length, volume, type Box, type Range } from '../../src/tensor/box.ts';

const range = (most: number) =>
  fc.tuple(fc.nat(20), fc.integer({ min: 1, max: most })).map(([start, size]): Range => [start, start + size]);

const boxes: fc.Arbitrary<Box> = fc.tuple(range(6), range(3), range(12), range(5));

test('strips of a box are not empty, do not meet, and cover it together', (t) => {
  fc.assert(
    fc.property(boxes, fc.integer({ min: 1, max: 40 }), (box, wanted) => {
      const strips = stripBoxes(box, wanted);
      t.true(strips.every((strip) => !isEmpty(strip) && contains(box, strip)));
      t.true(strips.every((strip, k) => strips.slice(k + 1).every((other) => isEmpty(intersect(strip, other)))));
      t.is(
        strips.reduce((sum, strip) => sum + volume(strip), 0),
        volume(box),
      );
    }),
  );
});

test('there are as many strips as wanted where samples and rows allow it, and samples are cut first', (t) => {
  fc.assert(
    fc.property(boxes, fc.integer({ min: 1, max: 40 }), (box, wanted) => {
      const [samples, rows] = [length(box[0]), length(box[2])];
      const { length: count } = stripBoxes(box, wanted);
      if (wanted <= samples) t.is(count, wanted);
      else if (wanted >= samples * rows) t.is(count, samples * rows);
      else t.true(wanted <= count && count < wanted + samples);
    }),
  );
  const box: Box = [
    [2, 4],
    [0, 8],
    [5, 9],
    [3, 7],
  ];
  const faces = (strips: number) => stripBoxes(box, strips).map(([n, , y]) => [...n, ...y].join(' '));
  t.deepEqual(faces(1), ['2 4 5 9']);
  t.deepEqual(faces(2), ['2 3 5 9', '3 4 5 9']);
  t.deepEqual(faces(4), ['2 3 5 7', '2 3 7 9', '3 4 5 7', '3 4 7 9']);
});

test('an empty box has no strips', (t) => {
  t.deepEqual(stripBoxes(EMPTY_BOX, 4), []);
});

test('one wish for all stages: the stage that holds most goes in as many strips as said, the others in fewer', (t) => {
  const model = zooModel('yolov2-front', [416, 416]);
  const stages: readonly Range[] = [
    [0, 2],
    [2, 4],
    [4, 8],
    [8, 12],
    [12, 16],
  ];
  const walks = (recompute: boolean, strips?: number, batch = 1) =>
    balancedWalks(model, stages, { recompute, strips, batch });
  t.deepEqual(
    walks(true, 8).map(({ strips }) => strips),
    [8, 5, 4, 2, 1],
  );
  t.deepEqual(
    walks(true, 8).map(({ recompute }) => recompute),
    [true, true, true, true, false],
  );
  // Two strips would save 0.7 of 1.4 million values and need 1.2 million for a second gradient of conv9.
  t.deepEqual(walks(true, 16).at(-1), { recompute: false, strips: 1 });
  t.deepEqual(walks(true, 16, 4).at(-1), { recompute: true, strips: 2 });
  // Three strips of four samples would be no smaller than two: one of them would have two samples.
  t.deepEqual(
    walks(true, 5, 4).map(({ strips }) => strips),
    [5, 4, 4, 2, 1],
  );
  t.true(walks(false, 8).every(({ recompute }) => recompute === false));
  t.true(walks(true).every(({ strips }) => strips === 1));
});
