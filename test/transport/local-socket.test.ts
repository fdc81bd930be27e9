import { once } from 'node:events';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { MqttClient, type IClientOptions } from 'mqtt';
import { nodeStateTopic, tensorTopic } from '../../src/protocol/topics.ts';
import { scratch } from '../support/digits.ts';
import { startCommand } from '../support/command.ts';
import { writeNodeConfig } from '../support/daemons.ts';
import { node, until } from './cluster.ts';

/** Connects to a socket as a program of this computer does. */
async function client(path: string, options: IClientOptions = {}): Promise<MqttClient> {
  const one = new MqttClient(() => connect(path), { reconnectPeriod: 0, timerVariant: 'native', ...options });
  one.on('error', () => {});
  const connected = await Promise.race([
    happens(one, 'connect').then(() => true),
    happens(one, 'close').then(() => false),
  ]);
  if (!connected) throw new Error('refused');
  return one;
}

function happens(one: MqttClient, event: 'connect' | 'close'): Promise<void> {
  return new Promise((resolve) => one.once(event, () => resolve()));
}

const mode = async (path: string) => (await stat(path)).mode & 0o777;

test('only this user can open the socket and its folder, and a node that closes takes it away', async (t) => {
  const path = join(await scratch(t), 'folder', 'node.sock');
  const a = await node('a', { socket: path });
  t.is(await mode(path), 0o600);
  t.is(await mode(join(path, '..')), 0o700);
  await a.close();
  await t.throwsAsync(stat(path), { code: 'ENOENT' });
});

test('a client of the socket hears documents and no tensor, as one on loopback', async (t) => {
  const path = join(await scratch(t), 'node.sock');
  await using a = await node('a', { socket: path });
  a.connect([{ name: 'b', host: '127.0.0.1', port: 1 }]);
  const local = await client(path);
  const topics: string[] = [];
  local.on('message', (topic) => topics.push(topic));
  for (const filter of ['#', '+/#', 'mqtile-tensor/#', '$SYS/#']) {
    const granted = await local.subscribeAsync(filter).catch(() => [{ qos: 128 }]);
    t.is(granted[0]?.qos, 128, filter);
  }
  await local.subscribeAsync('mqtile/#', { qos: 1 });
  const bridge = new MqttClient(() => connect(a.port, '127.0.0.1'), { clientId: '$bridge/b/data', reconnectPeriod: 0 });
  await happens(bridge, 'connect');
  bridge.publish(tensorTopic('c', { job: 'j', to: 'a', from: 'b', channel: 'weights' }), 'pixels');
  a.bulletin.post('mqtile/c/response/last', {});
  await until(() => topics.includes('mqtile/c/response/last'));
  t.true(topics.includes(nodeStateTopic('c', 'a')));
  t.false(topics.some((topic) => topic.startsWith('mqtile-tensor')));
  await Promise.all([local.endAsync(true), bridge.endAsync(true)]);
});

for (const topic of ['mqtile/c/node/b/state', 'mqtile-tensor/c/j/a/b/weights', 'mqtile/other/request/start']) {
  test(`a client of the socket is disconnected when it publishes ${topic}`, async (t) => {
    const path = join(await scratch(t), 'node.sock');
    await using a = await node('a', { socket: path });
    const heard: string[] = [];
    a.bulletin.on('#', (name, _document, from) => from !== undefined && heard.push(name));
    const local = await client(path);
    const closed = happens(local, 'close');
    local.publish(topic, '{}');
    await closed;
    t.deepEqual(heard, []);
  });
}

test('nobody is a peer on the socket, whatever it calls itself', async (t) => {
  const path = join(await scratch(t), 'node.sock');
  await using a = await node('a', { socket: path });
  a.connect([{ name: 'b', host: '127.0.0.1', port: 1 }]);
  for (const clientId of ['$bridge/b/data', '$bridge/b/control', '$bridge']) {
    await t.throwsAsync(client(path, { clientId }), { message: 'refused' }, clientId);
  }
});

test('what is in the way of a socket is named with the way out', async (t) => {
  const folder = await scratch(t);
  const path = join(folder, 'node.sock');
  await using _ = await node('a', { socket: path });
  await t.throwsAsync(node('b', { socket: path }), {
    code: 'socketInUse',
    message: /a node listens there already; stop it/,
  });
  const file = join(folder, 'file');
  await writeFile(file, 'precious');
  await t.throwsAsync(node('c', { socket: file }), {
    code: 'cannotListen',
    message: /no socket; give the node another/,
  });
  t.is((await stat(file)).size, 8);
  const long = join(folder, 'x'.repeat(120));
  await t.throwsAsync(node('d', { socket: long }), {
    code: 'cannotListen',
    message: /bytes, and the system takes 107/,
  });
  const open = join(folder, 'open');
  await mkdir(open);
  await chmod(open, 0o777);
  await t.throwsAsync(node('e', { socket: join(open, 's') }), { message: /other users may write to its folder/ });
  const beneath = join(file, 'node.sock');
  await t.throwsAsync(node('f', { socket: beneath }), { code: 'cannotListen' });
});

test('a node that could not have its socket leaves its port free', async (t) => {
  const path = join(await scratch(t), 'file');
  await writeFile(path, '');
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  const listen = { host: '127.0.0.1', port };
  await t.throwsAsync(node('a', { socket: path, listen }), { code: 'cannotListen' });
  await using b = await node('b', { listen });
  t.is(b.port, port);
});

test('the socket of a daemon that was killed is replaced, and one that answers is not', async (t) => {
  const directory = await scratch(t);
  const socket = join(directory, 'pi1.sock');
  const config = await writeNodeConfig(directory, { name: 'pi1', port: 0, socket });
  const start = async () => {
    const command = startCommand(t, ['node', '--config', config]);
    await command.until(({ stderr }) => (stderr.includes(' listens on ') ? true : undefined), 'it listened');
    return command;
  };
  const first = await start();
  t.true(first.stderr.includes(` and ${socket}\n`), first.stderr);
  const { code, stderr } = await startCommand(t, ['node', '--config', config]).ended;
  t.is(code, 2);
  t.regex(stderr, /pi1\.yaml: socket: .*pi1\.sock is in use/);
  first.child.kill('SIGKILL');
  await first.ended;
  t.true((await stat(socket)).isSocket());
  const second = await start();
  await (await client(socket)).endAsync(true);
  second.child.kill('SIGTERM');
  t.is((await second.ended).code, 0);
  await t.throwsAsync(stat(socket), { code: 'ENOENT' });
});
