import { connect } from 'node:net';
import type { Socket } from 'node:net';
import test from 'ava';
import mqtt from 'mqtt';
import type { MqttClient } from 'mqtt';
import { nodeStateTopic, tensorTopic } from '../../src/protocol/topics.ts';
import type { MqttTransport } from '../../src/transport/mqtt.ts';
import { cluster, node, until } from './cluster.ts';

/** Connects an ordinary client, as people do. */
async function client(port: number, options: mqtt.IClientOptions = {}): Promise<MqttClient> {
  const one = mqtt.connect({ host: '127.0.0.1', port, reconnectPeriod: 0, timerVariant: 'native', ...options });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  one.once('connect', () => resolve());
  one.once('error', reject);
  one.on('error', () => {});
  await promise;
  return one;
}

/** Connects as a peer's bridge; node `a` must know `b`. */
async function withPeer(): Promise<MqttTransport> {
  const a = await node('a');
  a.connect([{ name: 'b', host: '127.0.0.1', port: 1 }]);
  return a;
}

test('a local client hears the documents of all nodes and no tensor', async (t) => {
  await using nodes = await cluster(['a', 'b']);
  const local = await client(nodes.nodes[0]!.port);
  const topics = new Set<string>();
  local.on('message', (topic) => topics.add(topic));
  await local.subscribeAsync('mqtile/#', { qos: 1 });
  await until(() => topics.has(nodeStateTopic('c', 'a')) && topics.has(nodeStateTopic('c', 'b')));
  const bridge = await client(nodes.nodes[0]!.port, { clientId: '$bridge/b/data' });
  bridge.publish(tensorTopic('c', { job: 'j', to: 'a', from: 'b', channel: 'weights' }), 'pixels');
  nodes.nodes[1]!.bulletin.post('mqtile/c/response/last', {});
  await until(() => topics.has('mqtile/c/response/last'));
  t.false([...topics].some((topic) => topic.startsWith('mqtile-tensor')));
  await Promise.all([local.endAsync(true), bridge.endAsync(true)]);
});

test('a retained document that is posted just before another one reaches a client too', async (t) => {
  await using a = await node('a');
  const local = await client(a.port);
  const heard: string[] = [];
  local.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`));
  await local.subscribeAsync('mqtile/c/#', { qos: 1 });
  const [state, response] = [nodeStateTopic('c', 'a'), 'mqtile/c/response/pause'];
  for (let round = 0; round < 20; round++) {
    a.bulletin.post(state, { state: `s${round}` }, { retain: true });
    a.bulletin.post(response, { round });
    await until(() => heard.includes(`${response} {"round":${round}}`));
    await until(() => heard.includes(`${state} {"state":"s${round}"}`), `the state of round ${round}`, 2000);
  }
  t.true(heard.length >= 40);
  await local.endAsync(true);
});

test('filters that reach beyond documents are refused', async (t) => {
  await using a = await node('a');
  const local = await client(a.port);
  for (const filter of ['#', '+/#', 'mqtile-tensor/#', '+/c/#', '$SYS/#', '$share/g/mqtile/#']) {
    const granted = await local.subscribeAsync(filter).catch(() => [{ qos: 128 }]);
    t.is(granted[0]?.qos, 128, filter);
  }
  t.is((await local.subscribeAsync('mqtile/+/node/+/state', { qos: 1 }))[0]?.qos, 1);
  await local.endAsync(true);
});

test('bridges may not subscribe to anything', async (t) => {
  await using a = await withPeer();
  const bridge = await client(a.port, { clientId: '$bridge/b/control' });
  const granted = await bridge.subscribeAsync('mqtile/#').catch(() => [{ qos: 128 }]);
  t.is(granted[0]?.qos, 128);
  await bridge.endAsync(true);
});

const FORBIDDEN: readonly { readonly who: string; readonly clientId: string; readonly topic: string }[] = [
  { who: 'a local client', clientId: 'me', topic: 'mqtile/c/node/b/state' },
  { who: 'a local client', clientId: 'me', topic: 'mqtile/c/response/start' },
  { who: 'a local client', clientId: 'me', topic: 'mqtile/other/request/start' },
  { who: 'a local client', clientId: 'me', topic: 'mqtile-tensor/c/j/a/b/weights' },
  { who: 'the control bridge', clientId: '$bridge/b/control', topic: 'mqtile/c/node/a/state' },
  { who: 'the control bridge', clientId: '$bridge/b/control', topic: 'mqtile/c/job/j/member/a' },
  { who: 'the control bridge', clientId: '$bridge/b/control', topic: 'mqtile/c/job/j/telemetry/x/step' },
  { who: 'the control bridge', clientId: '$bridge/b/control', topic: 'mqtile-tensor/c/j/a/b/weights' },
  { who: 'the data bridge', clientId: '$bridge/b/data', topic: 'mqtile-tensor/c/j/a/x/weights' },
  { who: 'the data bridge', clientId: '$bridge/b/data', topic: 'mqtile-tensor/c/j/b/b/weights' },
  { who: 'the data bridge', clientId: '$bridge/b/data', topic: 'mqtile-tensor/c/j/a/b/ack' },
  { who: 'the data bridge', clientId: '$bridge/b/data', topic: 'mqtile/c/node/b/state' },
];

for (const { who, clientId, topic } of FORBIDDEN) {
  test(`${who} is disconnected when it publishes ${topic}`, async (t) => {
    await using a = await withPeer();
    const heard: string[] = [];
    a.bulletin.on('#', (name, _document, from) => from !== undefined && heard.push(name));
    const one = await client(a.port, { clientId });
    const { promise, resolve } = Promise.withResolvers<void>();
    one.once('close', resolve);
    one.publish(topic, '{}', { qos: 0 });
    await promise;
    t.deepEqual(heard, []);
  });
}

test('requests of local clients reach the node, retained ones do not', async (t) => {
  await using a = await node('a');
  const heard: unknown[] = [];
  a.bulletin.on('mqtile/c/request/+', (topic, document, from) => heard.push([topic, document, from]));
  const local = await client(a.port);
  await local.publishAsync('mqtile/c/request/start', '{"transaction":1}', { qos: 1 });
  await until(() => heard.length === 1);
  t.deepEqual(heard[0], ['mqtile/c/request/start', { transaction: 1 }, undefined]);
  const closed = Promise.withResolvers<void>();
  local.once('close', closed.resolve);
  local.publish('mqtile/c/request/start', '{"transaction":2}', { retain: true });
  await closed.promise;
  t.is(heard.length, 1);
});

test('nobody connects as the bridge of a node that is no peer', async (t) => {
  await using a = await withPeer();
  for (const clientId of ['$bridge/x/data', '$bridge/a/control', '$bridge/b', '$bridge/b/data/x', '$bridge']) {
    await t.throwsAsync(client(a.port, { clientId }), undefined, clientId);
  }
  await (await client(a.port, { clientId: '$bridge/b/data' })).endAsync(true);
});

/** Writes bytes for as long as the other end takes them. @returns how many it took */
async function pour(socket: Socket, total: number): Promise<number> {
  const block = Buffer.alloc(1 << 16);
  let closed = false;
  socket.on('error', () => {});
  socket.on('close', () => (closed = true));
  for (let sent = 0; sent < total; sent += block.length) {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('close', resolve);
    if (closed) break;
    socket.write(block, () => resolve());
    await promise;
    socket.off('close', resolve);
  }
  if (!closed) await until(() => closed, 'the connection to be closed');
  return socket.bytesWritten;
}

const OVERSIZED = {
  'a CONNECT of 200 MB': [0x10, 0x80, 0x84, 0xaf, 0x5f],
  'a packet whose length never ends': [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  'a PUBLISH of 5 KB before any CONNECT': [0x30, 0x88, 0x27],
};

for (const [what, start] of Object.entries(OVERSIZED)) {
  test.serial(`${what} closes the connection and takes no memory`, async (t) => {
    await using a = await node('a');
    const before = process.memoryUsage().arrayBuffers;
    const socket = connect({ port: a.port, host: '127.0.0.1' });
    socket.write(Uint8Array.from(start));
    const taken = await pour(socket, 200e6);
    t.true(taken < 20e6, `${taken} bytes were taken`);
    t.true(process.memoryUsage().arrayBuffers - before < 20e6);
  });
}

test('a local client may send small packets and no large ones', async (t) => {
  await using a = await node('a');
  const local = await client(a.port);
  await local.publishAsync('mqtile/c/request/start', JSON.stringify('x'.repeat(60_000)), { qos: 1 });
  const closed = Promise.withResolvers<void>();
  local.once('close', closed.resolve);
  local.publish('mqtile/c/request/start', JSON.stringify('x'.repeat(70_000)));
  await closed.promise;
  t.pass();
});

test('a subscriber that stops reading costs bounded memory and does not hold the others up', async (t) => {
  await using a = await node('a');
  const [frozen, healthy] = await Promise.all([client(a.port), client(a.port)]);
  let got = 0;
  let gotLate = 0;
  healthy.on('message', () => got++);
  frozen.on('message', () => gotLate++);
  await Promise.all([frozen.subscribeAsync('mqtile/c/response/#'), healthy.subscribeAsync('mqtile/c/response/#')]);
  (frozen.stream as unknown as Socket).pause();
  const filling = 'x'.repeat(100_000);
  for (let i = 0; i < 300; i++) {
    a.bulletin.post('mqtile/c/response/filling', { i, filling });
    await until(() => got > i, `message ${i}`);
  }
  t.is(got, 300);
  (frozen.stream as unknown as Socket).resume();
  a.bulletin.post('mqtile/c/response/filling', { last: true });
  await until(() => gotLate > 10);
  t.true(gotLate < 290, `${gotLate} of 300 were kept for it`);
  await Promise.all([frozen.endAsync(true), healthy.endAsync(true)]);
});
