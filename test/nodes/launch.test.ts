import { once } from 'node:events';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import test from 'ava';
import { connectAsync, type MqttClient } from 'mqtt';
import { jobOf, planHashOf, planOf, type Member, type PlanDescription } from '../../src/index.ts';
import { scratch } from '../support/digits.ts';
import { launch, writeFlow } from '../support/launch.ts';
import { freePorts, TYPES } from '../support/node-red.ts';

const JOB = new URL('../../flows/lenet5-mnist.yaml', import.meta.url);

/** A client of a broker that may not be there yet: the editor is served before the flow's node listens. */
async function connected(port: number): Promise<MqttClient> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 });
    } catch (error) {
      if (attempt === 100) throw error;
      await pause(200);
    }
  }
}

test('npm run node-red opens an editor with the palette, whose example flow trains to a checkpoint', async (t) => {
  // As in a clone: a folder above is a package of ES modules.
  const above = await scratch(t);
  await writeFile(join(above, 'package.json'), '{"type": "module"}');
  const folder = join(above, 'user');
  await mkdir(folder);
  const [editor, broker] = await freePorts(2);
  await writeFlow(folder, broker!);
  const { child, url } = await launch(t, ['--port', String(editor), '--user-dir', folder]);

  const response = await fetch(new URL('nodes', url), { headers: { accept: 'application/json' } });
  const sets = (await response.json()) as readonly { types: readonly string[]; enabled: boolean; err?: string }[];
  const ours = sets.filter(({ types }) => types.some((type) => type.startsWith('mqtile-')));
  t.deepEqual(ours.flatMap(({ types }) => types).toSorted(), TYPES.toSorted());
  t.true(ours.every(({ enabled, err }) => enabled && err === undefined));

  const german = { accept: 'text/html', 'accept-language': 'de' };
  const dialogs = await (await fetch(new URL('nodes', url), { headers: german })).text();
  t.true(dialogs.includes('Trainiert einen ganzen Job'), 'the help is not served in German');

  const client = await connected(broker!);
  t.teardown(() => client.endAsync(true));
  const done = new Promise<Member>((resolve) => {
    client.on('message', (_, payload) => {
      const member = JSON.parse(payload.toString()) as Member;
      if (member.state === 'done' || member.state === 'failed') resolve(member);
    });
  });
  await client.subscribeAsync('mqtile/home/job/lenet5-mnist/member/node1', { qos: 1 });
  const inject = await fetch(new URL('inject/mqtile-02-start', url), { method: 'POST' });
  t.is(inject.status, 200);
  const { state, reason, result } = await done;
  t.is(state, 'done', reason);
  t.is(result!.checkpoint, join(folder, 'runs', 'lenet5-mnist', 'step-000020.safetensors'));
  await t.notThrowsAsync(access(result!.checkpoint!));
  await client.endAsync(true);

  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  t.is(code, 0);
  await t.throwsAsync(fetch(url));
});

test('the dialog of mqtile-job gets the plan and its hash, or what is wrong', async (t) => {
  const folder = await scratch(t);
  const [editor, broker] = await freePorts(2);
  await writeFlow(folder, broker!);
  const { url } = await launch(t, ['--port', String(editor), '--user-dir', folder]);
  const ask = ({ devices = '', ...job }: Record<string, string>) =>
    fetch(new URL('mqtile/plan', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ job, devices }),
    });

  const response = await ask({ path: 'flows/lenet5-mnist.yaml', grid: '1x2', devices: 'pi1,pi2' });
  const plan = (await response.json()) as PlanDescription;
  const text = await readFile(JOB, 'utf8');
  const grid: [number, number] = [1, 2];
  const job = jobOf({ text, directory: folder, source: 'job', grid, resume: false, writers: 'all' });
  t.is(response.status, 200);
  t.is(plan.planHash, planHashOf(job, planOf(job, ['pi1', 'pi2'])));
  t.deepEqual(Object.keys(plan.predictedMemoryBytes), ['pi1', 'pi2']);

  for (const [query, says] of [
    [{ path: 'flows/nowhere.yaml' }, 'does not exist'],
    [{ path: 'flows/lenet5-mnist.yaml', grid: '1x2', devices: 'pi1' }, '1x2'],
    [{ path: '' }, 'job'],
  ] as const) {
    const refused = await ask(query);
    t.is(refused.status, 400);
    const { error } = (await refused.json()) as { error: { reason: string } };
    t.true(error.reason.includes(says), error.reason);
  }
});

test('a port that is taken is refused with one line, before anything is started', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const says = `address of an editor:\nnode-red: --port: ${port} is taken, perhaps by another Node-RED; want another one; see --help\n`;
  const { message } = await t.throwsAsync(launch(t, ['--port', String(port)]));
  t.true(message.endsWith(says), message);
});
