import test from 'ava';
import fc from 'fast-check';
import { createRandom, deriveSeed, shuffle, uniform } from '../../src/tensor/random.ts';

test('the stream of a seed is fixed: these bits must never change, or runs could not be repeated', (t) => {
  const random = createRandom(1);
  t.deepEqual(
    [random.next(), random.next(), random.next(), random.next()],
    [2527132011, 314344336, 2535364964, 2041432039],
  );
});

test('the upper bits of a seed count', (t) => {
  t.not(createRandom(1).next(), createRandom(1 + 2 ** 40).next());
  t.not(createRandom(5).next(), createRandom(-5).next());
});

test('seeds of different purposes differ, and words do not run together', (t) => {
  const seeds = [['conv1.weight'], ['conv2.weight'], ['ab', 'c'], ['a', 'bc'], ['abc'], []].map((words) =>
    deriveSeed(7, ...words),
  );
  t.is(new Set(seeds).size, seeds.length);
  t.not(deriveSeed(7, 'a'), deriveSeed(8, 'a'));
});

test('integers below a bound are in range and every value is drawn about equally often', (t) => {
  const random = createRandom(3);
  const counts = new Uint32Array(6);
  for (let i = 0; i < 60_000; i++) {
    const value = random.below(6);
    counts[value] = counts[value]! + 1;
  }
  for (const count of counts) {
    t.true(Math.abs(count - 10_000) < 500, `a value came ${count} times of 60000`);
  }
  t.is(random.below(1), 0);
});

test('uniform values fill the interval evenly', (t) => {
  const values = new Float32Array(100_000);
  uniform(values, 0.25, 9);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const square = values.reduce((sum, x) => sum + x * x, 0) / values.length;
  t.true(values.every((x) => x >= -0.25 && x <= 0.25));
  t.true(Math.abs(mean) < 0.002, `mean ${mean}`);
  t.true(Math.abs(square - 0.25 ** 2 / 3) < 0.0003, `mean square ${square}`);
});

test('a shuffle is a permutation for every length, zero included', (t) => {
  fc.assert(
    fc.property(fc.nat(300), fc.maxSafeInteger(), fc.nat(20), (length, seed, epoch) => {
      const order = shuffle(length, seed, epoch);
      return order.length === length && new Set(order).size === length && order.every((index) => index < length);
    }),
  );
  t.pass();
});

test('a shuffle repeats for the same seed and epoch and differs for others', (t) => {
  t.deepEqual(shuffle(100, 1, 0), shuffle(100, 1, 0));
  t.notDeepEqual(shuffle(100, 1, 0), shuffle(100, 1, 1));
  t.notDeepEqual(shuffle(100, 1, 0), shuffle(100, 2, 0));
  t.notDeepEqual(
    shuffle(100, 1, 0),
    Uint32Array.from({ length: 100 }, (_, i) => i),
  );
});
