import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { connectAsync } from 'mqtt';
import { jobOf, planHashOf, planOf, type Member, type PlanDescription } from '../../src/index.ts';
import { scratch } from '../support/digits.ts';
import { freePorts, TYPES } from '../support/node-red.ts';

const MAIN = fileURLToPath(new URL('../../nodes/launch/main.ts', import.meta.url));
const FLOW = new URL('../../flows/02-train-one-node.json', import.meta.url);
const JOB = new URL('../../flows/lenet5-mnist.yaml', import.meta.url);

/** Starts `npm run node-red` and waits until it says where the editor is. */
async function launch(t: ExecutionContext, args: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text));
  for await (const text of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    printed += text;
    const url = /palette: (http:\S+)/.exec(printed)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error(`ended without the address of an editor:\n${printed}`);
}

/** The flow as it is published, but for the port of its broker, which may be taken here, and fewer steps. */
async function writeFlow(folder: string, port: number): Promise<void> {
  const nodes = JSON.parse(await readFile(FLOW, 'utf8')) as readonly Record<string, unknown>[];
  const changed = nodes.map((node) => {
    if (node['type'] === 'mqtile-node') return { ...node, listen: `127.0.0.1:${port}` };
    return node['type'] === 'mqtile-job' ? { ...node, steps: '20' } : node;
  });
  await writeFile(join(folder, 'flows.json'), JSON.stringify(changed));
}

test('npm run node-red opens an editor with the palette, whose example flow trains to a checkpoint', async (t) => {
  const folder = await scratch(t);
  const [editor, broker] = await freePorts(2);
  await writeFlow(folder, broker!);
  const { child, url } = await launch(t, ['--port', String(editor), '--user-dir', folder]);

  const response = await fetch(new URL('nodes', url), { headers: { accept: 'application/json' } });
  const sets = (await response.json()) as readonly { types: readonly string[]; enabled: boolean; err?: string }[];
  const ours = sets.filter(({ types }) => types.some((type) => type.startsWith('mqtile-')));
  t.deepEqual(ours.flatMap(({ types }) => types).toSorted(), TYPES.toSorted());
  t.true(ours.every(({ enabled, err }) => enabled && err === undefined));

  const client = await connectAsync(`mqtt://127.0.0.1:${broker}`, { protocolVersion: 4 });
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
  const ask = (query: Record<string, string>) =>
    fetch(new URL(`mqtile/plan?${new URLSearchParams(query).toString()}`, url));

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
