import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { runCommand } from '../support/command.ts';
import { writeNodeConfig } from '../support/daemons.ts';
import { digitsJob, scratch, writeJob } from '../support/digits.ts';

type Item = Readonly<Record<string, unknown>>;

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const LABEL = '01 train by hand';
const NOWHERE = { images: 'images', labels: 'labels', testImages: 'test-images', testLabels: 'test-labels' };

function item(flow: readonly Item[], type: string): Item {
  return flow.find((one) => one['type'] === type)!;
}

test('the first example flow is what mqtile flow makes of its job', async (t) => {
  const published = JSON.parse(await readFile(join(PROJECT, 'flows', '01-train-by-hand.json'), 'utf8')) as Item[];
  const { code, stdout, stderr } = await runCommand(
    t,
    ['flow', 'flows/lenet5-mnist.yaml', '--device=node1', '--grid=1x1', '--prefix=mqtile-01', `--label=${LABEL}`],
    { cwd: PROJECT },
  );
  t.is(code, 0, stderr);
  t.deepEqual(published, JSON.parse(stdout));
});

test('flow prints JSON and nothing else, for any device of the plan, with the others as its peers', async (t) => {
  const folder = await scratch(t);
  await writeJob(folder, digitsJob(NOWHERE), 'digits.yaml');
  const { code, stdout, stderr } = await runCommand(t, ['flow', 'digits.yaml', '--device', 'node3', '--steps', '20'], {
    cwd: folder,
  });
  t.is(code, 0, stderr);
  t.is(stderr, '');
  const flow = JSON.parse(stdout) as Item[];
  const { node, listen, peers, mode } = item(flow, 'mqtile-node');
  t.deepEqual([node, listen, mode], ['node3', '127.0.0.1:1885', 'embedded']);
  t.deepEqual(peers, [
    { name: 'node1', address: '127.0.0.1:1883' },
    { name: 'node2', address: '127.0.0.1:1884' },
    { name: 'node4', address: '127.0.0.1:1886' },
  ]);
  const { path, grid, steps, source } = item(flow, 'mqtile-job');
  t.deepEqual([path, grid, steps, source], ['digits.yaml', '', '20', 'file']);
  t.is(item(flow, 'tab')['label'], 'digits on node3');
  for (const { id } of flow) t.true((id as string).startsWith('mqtile-digits-node3-'));
  t.is(flow.filter(({ type }) => type === 'mqtile-forward').length, 3);
});

test('flow --config takes name, address and peers from the node’s file, and --output writes a file', async (t) => {
  const folder = await scratch(t);
  const job = await writeJob(folder, digitsJob(NOWHERE));
  const peers = [{ name: 'pi10', address: '127.0.0.1:2010' }];
  const config = await writeNodeConfig(folder, { name: 'pi9', port: 2009, peers });
  const output = join(folder, 'flow.json');
  const args = ['flow', job, '--grid', '1x2', '--device', 'pi9', '--config', config, '--output', output];
  const { code, stdout, stderr } = await runCommand(t, args);
  t.is(code, 0, stderr);
  t.is(stdout + stderr, '');
  const flow = JSON.parse(await readFile(output, 'utf8')) as Item[];
  const node = item(flow, 'mqtile-node');
  t.deepEqual([node['node'], node['cluster'], node['listen'], node['peers']], ['pi9', 'test', '127.0.0.1:2009', peers]);
  t.is(item(flow, 'mqtile-job')['grid'], '1x2');
  const about = flow.find(({ id }) => (id as string).endsWith('-about'))!;
  t.true((about['info'] as string).includes('those of a start on pi9'), 'pi9 comes before pi10');
});

const REFUSED: readonly { readonly what: string; readonly args: readonly string[]; readonly says: RegExp }[] = [
  { what: 'no device', args: [], says: /--device: is missing/ },
  {
    what: 'a device that the plan does not have',
    args: ['--device', 'node5'],
    says: /--device: got node5, want .*node1, node2, node3, node4/,
  },
  {
    what: 'the file of another device',
    args: ['--device', 'node2', '--config', 'node1.yaml'],
    says: /--config: is the file of node1, want that of --device node2/,
  },
  {
    what: 'a grid for another number of devices',
    args: ['--device', 'node1', '--local', '3'],
    says: /job\.yaml: plan\..*2x2.*3/,
  },
  {
    what: 'a file that cannot be written',
    args: ['--device', 'node1', '--output', 'absent/flow.json'],
    says: /--output: absent\/flow\.json cannot be written/,
  },
];

test('flow refuses what it cannot use with one line and exit code 2', async (t) => {
  const folder = await scratch(t);
  await writeJob(folder, digitsJob(NOWHERE));
  await writeNodeConfig(folder, { name: 'node1', port: 2001 });
  for (const { what, args, says } of REFUSED) {
    const { code, stdout, stderr } = await runCommand(t, ['flow', 'job.yaml', ...args], { cwd: folder });
    t.is(code, 2, what);
    t.is(stdout, '', what);
    t.is(stderr.split('\n').length, 2, stderr);
    t.regex(stderr, says);
  }
  const missing = await runCommand(t, ['flow', 'absent.yaml', '--device', 'node1'], { cwd: folder });
  t.regex(missing.stderr, /absent\.yaml: does not exist/);
});

test('flow --help shows how it is used and an example', async (t) => {
  const { code, stdout } = await runCommand(t, ['flow', '--help']);
  t.is(code, 0);
  t.regex(stdout, /^Usage: mqtile flow /);
  t.regex(stdout, /\nExample: mqtile flow \S+/);
});
