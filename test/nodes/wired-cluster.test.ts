import { rm } from 'node:fs/promises';
import test from 'ava';
import { checksum, errors, layOutSite, shows, startByHand } from '../support/by-hand.ts';
import { startCommand, train, type Command } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { temporaryDirectory } from '../support/idx.ts';

let home: string;
let job: string;
/** Of the weights that `mqtile train --local 4 --grid 2x2` ends with. */
let expected: string;

test.before(async () => {
  home = await temporaryDirectory();
  job = await writeJob(home, digitsJob(await someDigits(home, 6000, 256), { steps: 20, epochs: undefined }));
});

test.after.always(() => rm(home, { recursive: true, force: true }));

test.serial('mqtile train on four nodes says what the flows have to come to', async (t) => {
  ({ weightsChecksum: expected } = await train(t, [job, '--local', '4', '--grid', '2x2']));
  t.regex(expected, /^[0-9a-f]{16}$/);
});

test.serial('four Node-REDs with generated flows train to the weights of mqtile train after one Inject', async (t) => {
  const site = await layOutSite(await scratch(t), job, 4);
  const first = await Promise.all([0, 1, 2].map((rank) => startByHand(t, site, rank)));
  await Promise.all(first.map((runtime) => shows(runtime, /^waiting for node4$/)));
  const runtimes = [...first, await startByHand(t, site, 3)];
  await Promise.all(runtimes.map((runtime) => shows(runtime, /^ready$/)));
  await first[0]!.inject('by-hand-start');
  t.deepEqual(await Promise.all(runtimes.map((runtime) => checksum(runtime))), Array(4).fill(expected));
  for (const runtime of runtimes) t.deepEqual(errors(runtime), []);
});

test.serial('one Node-RED and three daemons train to the same weights', async (t) => {
  const site = await layOutSite(await scratch(t), job, 4);
  const daemons = site.configs.slice(1).map((config) => startCommand(t, ['node', '--config', config]));
  const listens = ({ stderr }: Command) => stderr.includes(' listens on ') || undefined;
  const [runtime] = await Promise.all([
    startByHand(t, site, 0),
    ...daemons.map((daemon) => daemon.until(listens, 'it listened')),
  ]);
  await runtime.inject('by-hand-start');
  t.is(await checksum(runtime), expected);
  t.deepEqual(errors(runtime), []);
});
