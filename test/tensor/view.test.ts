import test from 'ava';
import fc from 'fast-check';
import { boxOf, extentOf, type Box, type Range } from '../../src/tensor/box.ts';
import { contiguous, slice, type View } from '../../src/tensor/view.ts';

const address = ({ offset, strides }: View, at: readonly number[]) =>
  strides.reduce((sum, stride, axis) => sum + stride * at[axis]!, offset);

test('elements of a contiguous view follow each other in the order n, c, y, x', (t) => {
  const view = contiguous(128, [2, 3, 4, 5]);
  let expected = 128;
  for (let n = 0; n < 2; n++)
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < 4; y++)
        for (let x = 0; x < 5; x++, expected += 4) t.is(address(view, [n, c, y, x]), expected);
  t.deepEqual(contiguous(7, [1, 3, 4, 5], 1).strides, [60, 20, 5, 1]);
});

test('a slice finds every element where the view of the whole box has it', (t) => {
  const range = (start: number) =>
    fc
      .tuple(fc.nat(2), fc.integer({ min: 1, max: 3 }))
      .map(([skip, cells]): Range => [start + skip, start + skip + cells]);
  const origin: Box = [
    [3, 8],
    [1, 6],
    [10, 15],
    [20, 25],
  ];
  const [n, c, y, x] = origin;
  const part: fc.Arbitrary<Box> = fc.tuple(range(n[0]), range(c[0]), range(y[0]), range(x[0]));
  fc.assert(
    fc.property(part, (inner) => {
      const whole = contiguous(64, extentOf(origin));
      const view = slice(whole, origin, inner);
      t.deepEqual(view.extent, extentOf(inner));
      const last = inner.map((r) => r[1] - r[0] - 1);
      const global = inner.map((r, axis) => r[1] - 1 - origin[axis]![0]);
      t.is(address(view, last), address(whole, global));
    }),
  );
});

test('the slice of a whole box is the view itself', (t) => {
  const view = contiguous(64, [2, 2, 3, 3]);
  t.deepEqual(slice(view, boxOf([2, 2, 3, 3]), boxOf([2, 2, 3, 3])), view);
});
