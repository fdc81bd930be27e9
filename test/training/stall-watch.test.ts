import test from 'ava';
import { StallWatch } from '../../src/training/stall-watch.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a rest that nobody ends is reported once, with how long it lasted', async (t) => {
  const { promise, resolve } = Promise.withResolvers<number>();
  let reports = 0;
  const watch = new StallWatch(5, (waitedMs) => {
    reports++;
    resolve(waitedMs);
  });
  watch.rest();
  // The watch does not keep the process alive by itself.
  const [waitedMs] = await Promise.all([promise, pause(50)]);
  t.is(waitedMs, 5);
  t.is(reports, 1);
});

test('neither work nor a finished step is a rest', async (t) => {
  const watch = new StallWatch(5, () => t.fail('reported'));
  watch.rest();
  watch.stop();
  watch.stop();
  await pause(30);
  t.pass();
});
