import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readCheckpoint, listCheckpoints } from '../../src/training/checkpoint/read.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { freePorts, startDaemons, writeNodeConfig, type Daemon } from '../support/daemons.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { node as transportNode } from '../transport/cluster.ts';
import { watchBroker } from '../support/watch.ts';

/** A job for three nodes on the first digits. */
async function threeTileJob(directory: string, name: string, more: Readonly<Record<string, unknown>> = {}) {
  const digits = await someDigits(directory, 3000, 256);
  const checkpoint = { everySteps: 5, directory: `runs-${name}` };
  return writeJob(directory, digitsJob(digits, { name, plan: { grid: '1x3' }, checkpoint, ...more }), `${name}.yaml`);
}

const at = (daemon: Daemon) => ['--broker', daemon.url, '--cluster', 'test'];

/** The one line that a refused job ends with. */
function refused(t: ExecutionContext, { code, stderr }: { code: number | null; stderr: string }, words: RegExp): void {
  t.is(code, 2, stderr);
  t.regex(stderr, words);
  t.is(stderr.trimEnd().split('\n').length, 1, stderr);
}

test.serial(
  'three daemons train a job together, each writes its checkpoints, and one that was killed comes back to resume',
  async (t) => {
    const directory = await scratch(t);
    const daemons = await startDaemons(t, directory, 3);
    const job = await threeTileJob(directory, 'together', { epochs: 4 });

    const first = startCommand(t, ['train', job, ...at(daemons[0]!), '--json']);
    await first.event('step', ({ step }) => Number(step) >= 5);
    daemons[2]!.command.child.kill('SIGKILL');
    const failed = await first.ended;
    t.is(failed.code, 1);
    t.regex(failed.stderr, /^mqtile: lost pi3: .*--resume$/m);

    await daemons[2]!.again();
    const resumed = startCommand(t, ['train', job, ...at(daemons[0]!), '--resume', '--json']);
    t.is((await resumed.ended).code, 0, resumed.stderr);
    const result = resumed.events().at(-1)!;
    t.deepEqual(
      (result['nodes'] as { node: string }[]).map(({ node }) => node),
      ['pi1', 'pi2', 'pi3'],
    );

    // The same from the beginning, undisturbed: the bits agree.
    const own = startCommand(t, [
      'train',
      await threeTileJob(directory, 'own', { epochs: 4 }),
      ...at(daemons[0]!),
      '--json',
    ]);
    t.is((await own.ended).code, 0, own.stderr);
    t.is(own.events().at(-1)!['weightsChecksum'], result['weightsChecksum']);
  },
);

test.serial('daemons with disks of their own each write the whole checkpoint', async (t) => {
  const directory = await scratch(t);
  const daemons = await startDaemons(t, directory, 3);
  const seen = await watchBroker(t, daemons[1]!.port);
  const job = await threeTileJob(directory, 'disks', { steps: 10, epochs: undefined });
  const { code, stderr } = await runCommand(t, ['train', job, ...at(daemons[0]!)]);
  t.is(code, 0, stderr);
  const done = seen.filter(({ topic, document }) => topic.includes('/member/') && document['state'] === 'done');
  const results = done.map(({ document }) => document['result'] as { checkpoint?: string; weightsChecksum: string });
  t.is(results.length, 3);
  t.is(new Set(results.map(({ weightsChecksum }) => weightsChecksum)).size, 1);
  for (const { checkpoint, weightsChecksum } of results) {
    t.is((await readCheckpoint(checkpoint!)).weightsChecksum, weightsChecksum);
  }
  t.deepEqual(await listCheckpoints(join(directory, 'runs-disks')), [0, 5, 10]);
});

test.serial('a peer that is busy with another job says so, and nobody waits for it', async (t) => {
  const directory = await scratch(t);
  // pi1 and pi3 do not know each other: pi2 works for either.
  const daemons = await startDaemons(t, directory, 3, (name) => (name === 'pi2' ? ['pi1', 'pi3'] : ['pi2']));
  const pair = { plan: { grid: '1x2' }, epochs: 500 };
  const first = startCommand(t, ['train', await threeTileJob(directory, 'first', pair), ...at(daemons[0]!), '--json']);
  await first.event('step');
  const second = await threeTileJob(directory, 'second', { ...pair, epochs: 1 });
  const refusal = await runCommand(t, ['train', second, ...at(daemons[2]!)]);
  refused(t, refusal, /^mqtile: pi2 is training already; wait for its end or stop it first$/m);
  const direct = await runCommand(t, ['train', second, ...at(daemons[0]!)]);
  refused(t, direct, /^mqtile: pi1 is training already; wait for its end or stop it first$/m);
  t.is(first.child.exitCode, null, `the first job goes on: ${first.stderr}`);
  t.deepEqual(
    (await readdir(directory)).filter((name) => name === 'runs-second'),
    [],
  );
});

test.serial(
  'peers that are not there, of another protocol or not known to the others are named with one line',
  async (t) => {
    const directory = await scratch(t);
    const [absent, foreign] = (await freePorts(2)) as [number, number];
    const [daemon] = await startDaemons(t, directory, 1);
    daemon!.command.child.kill('SIGKILL');
    await writeNodeConfig(directory, {
      name: 'pi1',
      port: daemon!.port,
      peers: [{ name: 'pi9', address: `127.0.0.1:${absent}` }],
    });
    await daemon!.again();
    const job = await threeTileJob(directory, 'alone', { plan: { grid: '1x2' } });
    const unreachable = await runCommand(t, ['train', job, ...at(daemon!)]);
    refused(t, unreachable, new RegExp(`^mqtile: pi1 cannot reach its peer pi9 at 127\\.0\\.0\\.1:${absent}: `));

    daemon!.command.child.kill('SIGKILL');
    const peers = [{ name: 'pi8', address: `127.0.0.1:${foreign}` }];
    await writeNodeConfig(directory, { name: 'pi1', port: daemon!.port, peers });
    await daemon!.again();
    const other = await transportNode('pi8', {
      cluster: 'test',
      listen: { host: '127.0.0.1', port: foreign },
      info: { version: '9.9.9', protocol: 1, instance: '0123456789abcdef', cores: 1, memoryBytes: 1 },
    });
    t.teardown(() => other.close());
    other.connect([{ name: 'pi1', host: '127.0.0.1', port: daemon!.port }]);
    const mismatch = await runCommand(t, ['train', job, ...at(daemon!)]);
    refused(
      t,
      mismatch,
      /^mqtile: pi8 runs MQTile 9\.9\.9 \(protocol 1\), pi1 runs .*; install the same version on both$/m,
    );
    t.deepEqual(
      (await readdir(directory)).filter((name) => name.startsWith('runs')),
      [],
    );
  },
);

test.serial('a node that others could reach needs insecure: true, and then says what that means', async (t) => {
  const directory = await scratch(t);
  const [port] = (await freePorts(1)) as [number];
  const open = { name: 'pi1', port, listen: `0.0.0.0:${port}` };
  const config = await writeNodeConfig(directory, open);
  const { code, stderr } = await runCommand(t, ['node', '--config', config]);
  t.is(code, 2);
  t.regex(stderr, /pi1\.yaml: listen: got 0\.0\.0\.0, which is not this machine.*insecure: true/);
  t.is(stderr.trimEnd().split('\n').length, 1);

  await writeNodeConfig(directory, { ...open, insecure: true });
  const allowed = startCommand(t, ['node', '--config', config]);
  await allowed.until((command) => (command.stderr.includes('listens on') ? true : undefined), 'it listened');
  t.regex(allowed.stderr, /^warning: pi1\.yaml: insecure: anybody on the network/);
  allowed.child.kill('SIGTERM');
  t.is((await allowed.ended).code, 0);
});

test.serial('a port that is in use is one line and exit code 2', async (t) => {
  const directory = await scratch(t);
  const [daemon] = await startDaemons(t, directory, 1);
  const config = await writeNodeConfig(directory, { name: 'twin', port: daemon!.port });
  refused(
    t,
    await runCommand(t, ['node', '--config', config]),
    /^mqtile: .*twin\.yaml: listen: port \d+ on 127\.0\.0\.1 is in use: /,
  );
});
