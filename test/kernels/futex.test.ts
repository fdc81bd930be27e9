import test from 'ava';
import { setImmediate } from 'node:timers/promises';
import { changed } from '../../src/kernels/futex.ts';

test('a wake-up without a change is not an answer: the late notification of the change before', async (t) => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  let answered = false;
  const waiting = changed(words, 1, 0).then(() => (answered = true));
  for (let i = 0; i < 3; i++) {
    Atomics.notify(words, 1);
    await setImmediate();
    t.false(answered);
  }
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  await waiting;
  t.true(answered);
});

test('a word that has changed already is not waited for', async (t) => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  words[0] = 7;
  await changed(words, 0, 6);
  t.pass();
});
