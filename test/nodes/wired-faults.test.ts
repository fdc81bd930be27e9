import test from 'ava';
import { errors, layOutSite, shows, startByHand } from '../support/by-hand.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import type { RuntimeProcess } from '../support/runtime-process.ts';

test('stop on one Node-RED ends the run on all, and one that is killed ends it on the others, with the reason', async (t) => {
  const folder = await scratch(t);
  const digits = await someDigits(folder, 6000, 256);
  const content = digitsJob(digits, { steps: 100_000, epochs: undefined, plan: { grid: '1x3' } });
  const site = await layOutSite(folder, await writeJob(folder, content), 3);
  const runtimes = await Promise.all(site.names.map((_, rank) => startByHand(t, site, rank)));
  const [first, second, third] = runtimes as [RuntimeProcess, RuntimeProcess, RuntimeProcess];
  await Promise.all(runtimes.map((runtime) => shows(runtime, /^ready$/)));

  await first.inject('by-hand-start');
  await Promise.all(runtimes.map((runtime) => shows(runtime, /^training step [1-9]/)));
  await second.inject('by-hand-stop');
  await Promise.all(runtimes.map((runtime) => shows(runtime, /^stopped at step \d+$/)));
  for (const runtime of runtimes) t.deepEqual(errors(runtime), []);

  await third.inject('by-hand-start');
  await Promise.all(runtimes.map((runtime) => shows(runtime, /^training step [1-9]/)));
  await second.kill();
  for (const runtime of [first, third]) {
    await runtime.status('by-hand-dataset', ({ fill }) => fill === 'red');
    const [error] = await runtime.until(() => (errors(runtime).length > 0 ? errors(runtime) : undefined), 'an error');
    // Whoever notices it first tells the other, who may hear that before it notices.
    t.regex(error!.code ?? '', /^(peerLost|memberFailed)$/);
    t.regex(error!.message, /lost node2/);
  }
});
