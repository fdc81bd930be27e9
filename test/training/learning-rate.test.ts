import test from 'ava';
import { rateOf } from '../../src/training/learning-rate.ts';

test('a rate without decay is the same in every step', (t) => {
  for (const step of [0, 1, 99]) t.is(rateOf({ rate: 0.05, decay: 'none' }, step, 100), 0.05);
});

test('a linear decay begins at the rate and would reach 0 one step after the last', (t) => {
  const rates = Array.from({ length: 5 }, (_, step) => rateOf({ rate: 1, decay: 'linear' }, step, 4));
  t.deepEqual(rates, [1, 0.75, 0.5, 0.25, 0]);
});
