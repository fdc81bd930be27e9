import test from 'ava';

import { arrive, breakBarrier, resetBarrier } from '../../src/kernels/barrier.ts';
import { controlBytes } from '../../src/kernels/control.ts';

const wordsOf = (threads: number) => new Int32Array(new SharedArrayBuffer(controlBytes(threads)));

test('a barrier lets the last one through, as often as it is used', (t) => {
  const words = wordsOf(1);
  for (let i = 0; i < 3; i++) t.true(arrive(words, 1));
});

test('a broken barrier holds nobody and lets nobody go on, until it is made ready again', (t) => {
  const words = wordsOf(2);
  breakBarrier(words);
  t.false(arrive(words, 2));
  t.false(arrive(words, 2));
  resetBarrier(words);
  t.true(arrive(words, 1));
});
