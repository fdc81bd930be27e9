import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import test from 'ava';
import { nodeStateTopic, telemetryTopic } from '../../src/protocol/topics.ts';
import type { PeerEvent } from '../../src/transport/transport.ts';
import { cluster, node, until } from './cluster.ts';
import { exchange } from './exchange.ts';

const QUICK = { resendMs: 20, resendLimitMs: 80, freedMs: 20 };

test('three nodes exchange messages of all sizes over their own brokers', async (t) => {
  await using nodes = await cluster(['a', 'b', 'c']);
  const sessions = await exchange(nodes.transports, {
    iterations: 10,
    sizes: [0, 4, 4000, 300_000, 600_004],
    shared: true,
    signal: AbortSignal.timeout(20_000),
  });
  for (const { statistics } of sessions) t.deepEqual(statistics.rejected, {});
});

test('every byte arrives exactly once over MQTT in spite of drops, duplicates, delays, flips and cuts', async (t) => {
  const { FaultWire } = await import('../../src/transport/faults.ts');
  let seed = 7;
  const faults = { drop: 0.03, duplicate: 0.1, delay: 0.1, flip: 0.03, cut: 0.02 };
  await using nodes = await cluster(['a', 'b'], {
    timing: QUICK,
    wrap: (wire) => new FaultWire(wire, { seed: seed++, ...faults }),
  });
  const downs: PeerEvent[] = [];
  for (const one of nodes.transports) one.onPeer((event) => event.kind === 'down' && downs.push(event));
  const sessions = await exchange(nodes.transports, {
    iterations: 12,
    sizes: [40, 30_000, 300_000],
    signal: AbortSignal.timeout(30_000),
  });
  t.true(downs.length > 0, 'connections were cut');
  t.true(sessions.some(({ statistics }) => (statistics.rejected['crc'] ?? 0) > 0));
  t.true(sessions.some(({ statistics }) => statistics.resent > 0));
});

test('telemetry of each node is retained on every broker and known to late listeners', async (t) => {
  await using nodes = await cluster(['a', 'b', 'c']);
  for (const { bulletin, transport } of nodes.nodes) {
    bulletin.post(telemetryTopic('c', 'job', transport.self, 'step'), { step: 1 }, { retain: true });
  }
  const seen = nodes.nodes.map(() => new Map<string, string | undefined>());
  const complete = () => seen.every((topics) => topics.size === 3);
  await until(() => {
    for (const [i, { bulletin }] of nodes.nodes.entries()) {
      bulletin.on('mqtile/c/job/+/telemetry/+/step', (topic, _document, from) => seen[i]!.set(topic, from))();
    }
    return complete();
  });
  t.is(seen[0]!.get(telemetryTopic('c', 'job', 'a', 'step')), undefined);
  t.is(seen[0]!.get(telemetryTopic('c', 'job', 'b', 'step')), 'b');
  t.is(seen[2]!.get(telemetryTopic('c', 'job', 'b', 'step')), 'b');
});

test('a document posted once is heard once by every node: bridges do not forward what came over a bridge', async (t) => {
  await using nodes = await cluster(['a', 'b', 'c', 'd']);
  let heard = 0;
  for (const { bulletin } of nodes.nodes) bulletin.on('mqtile/c/response/+', () => heard++);
  for (let i = 0; i < 10; i++) nodes.nodes[0]!.bulletin.post('mqtile/c/response/start', { transaction: i });
  await until(() => heard >= 40);
  nodes.nodes[1]!.bulletin.post('mqtile/c/response/stop', {});
  await until(() => heard >= 44);
  t.is(heard, 44);
});

test('a node that closes is offline for the others, and lost within 5 s', async (t) => {
  await using nodes = await cluster(['a', 'b', 'c']);
  const events: PeerEvent[] = [];
  nodes.transports[0]!.onPeer((event) => events.push(event));
  const states: unknown[] = [];
  nodes.nodes[0]!.bulletin.on(nodeStateTopic('c', 'c'), (_topic, document) => states.push(document));
  await nodes.nodes[2]!.close();
  await until(() => events.some((event) => event.kind === 'lost'), 'lost', 5000);
  t.deepEqual(
    events.map((event) => [event.kind, event.peer]),
    [
      ['down', 'c'],
      ['lost', 'c'],
    ],
  );
  t.deepEqual(states.at(-1), { state: 'offline' });
  t.deepEqual(nodes.nodes[0]!.peersUp(), ['b']);
});

test('waits of a session end with the name of the peer that is lost', async (t) => {
  await using nodes = await cluster(['a', 'b'], { lostMs: 200 });
  const [a, b] = nodes.nodes;
  const memory = new Uint8Array(64);
  const session = a!.transport.open({
    job: 'j',
    run: '0'.repeat(16),
    planHash: '1'.repeat(16),
    peers: ['b'],
    memory,
  });
  session.expect(0, [{ message: 1, from: 'b', offset: 0, bytes: 4 }]);
  const arrived = session.arrived(0, [1], new AbortController().signal);
  await Promise.all([b!.close(), t.throwsAsync(arrived, { code: 'peerLost', message: /lost b/ })]);
});

test('a peer that comes back as another instance is lost once and then up again', async (t) => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  a.connect([{ name: 'b', host: '127.0.0.1', port: b.port }]);
  b.connect([{ name: 'a', host: '127.0.0.1', port: a.port }]);
  const events: string[] = [];
  a.transport.onPeer((event) => events.push(event.kind));
  await until(() => events.at(-1) === 'up');
  const port = b.port;
  await b.close();
  const again = await node('b', { listen: { host: '127.0.0.1', port } });
  again.connect([{ name: 'a', host: '127.0.0.1', port: a.port }]);
  await until(() => events.includes('lost') && events.at(-1) === 'up');
  t.is(events.filter((kind) => kind === 'lost').length, 1);
  await Promise.all([a.close(), again.close()]);
});

test('a peer of another protocol version does not come up, and the reason says so', async (t) => {
  const info = { version: '9.0.0', protocol: 99, instance: 'x', cores: 1, memoryBytes: 1 };
  const [a, b] = await Promise.all([node('a'), node('b', { info })]);
  a.connect([{ name: 'b', host: '127.0.0.1', port: b.port }]);
  b.connect([{ name: 'a', host: '127.0.0.1', port: a.port }]);
  await until(() => /protocol 99 \(version 9\.0\.0\)/.test(a.peersMissing().get('b') ?? ''));
  t.deepEqual(a.peersUp(), []);
  await Promise.all([a.close(), b.close()]);
});

test('what is missing before a peer is up names its address and the reason', async (t) => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  await b.close();
  a.connect([{ name: 'b', host: '127.0.0.1', port: b.port }]);
  const wanted = new RegExp(`no connection to 127\\.0\\.0\\.1:${b.port}: .*ECONNREFUSED`);
  await until(() => wanted.test(a.peersMissing().get('b') ?? ''));
  await a.close();
  t.pass();
});

test('documents that the peers would refuse are refused where they are posted', async (t) => {
  await using a = await node('a');
  const { bulletin } = a;
  const topics = ['mqtile/c/node/b/state', 'mqtile/other/node/a/state', 'mqtile/c/job/j/telemetry/a/mood', 'x'];
  for (const topic of topics) t.throws(() => bulletin.post(topic, {}), { code: 'notAllowed' }, topic);
  t.throws(() => bulletin.post('mqtile/c/request/start', {}, { retain: true }), { code: 'notAllowed' });
});

test('a port in use and a bad name are refused with one line that says what is wrong', async (t) => {
  const a = await node('a');
  const taken = node('b', { listen: { host: '127.0.0.1', port: a.port } });
  await t.throwsAsync(taken, { code: 'portInUse', message: new RegExp(`port ${a.port} on 127\\.0\\.0\\.1 is in use`) });
  await t.throwsAsync(node('Pi 1'), { code: 'badName', message: /name: got "Pi 1"/ });
  await a.close();
  await a.close();
});

test('connections that are destroyed come back and lose nothing', async (t) => {
  const [a, b] = await Promise.all([node('a', { timing: QUICK }), node('b', { timing: QUICK })]);
  const way = await forwarder(b.port);
  a.connect([{ name: 'b', host: '127.0.0.1', port: way.port }]);
  b.connect([{ name: 'a', host: '127.0.0.1', port: a.port }]);
  await until(() => a.peersUp().length + b.peersUp().length === 2);
  const cuts = setInterval(() => way.cut(), 300);
  const sessions = await exchange([a.transport, b.transport], {
    iterations: 100,
    sizes: [4000, 300_000],
    signal: AbortSignal.timeout(30_000),
  });
  clearInterval(cuts);
  t.deepEqual(
    sessions.map(({ statistics }) => statistics.rejected),
    [{}, {}],
  );
  await Promise.all([a.close(), b.close(), way.close()]);
});

test('a peer that falls silent behind open sockets is lost too', async (t) => {
  const [a, b] = await Promise.all([node('a', { lostMs: 500 }), node('b')]);
  const way = await forwarder(b.port);
  a.connect([{ name: 'b', host: '127.0.0.1', port: way.port }]);
  b.connect([{ name: 'a', host: '127.0.0.1', port: a.port }]);
  await until(() => a.peersUp().length === 1);
  const events: string[] = [];
  a.transport.onPeer((event) => events.push(event.kind));
  way.freeze();
  await until(() => events.includes('lost'), 'lost', 15_000);
  t.deepEqual(events, ['down', 'lost']);
  await Promise.all([a.close(), b.close(), way.close()]);
});

/** A TCP forwarder that can cut what goes through it, or let nothing through any more. */
async function forwarder(target: number) {
  const sockets = new Set<Socket>();
  let frozen = false;
  const server = createServer((here) => {
    const there = connect({ port: target, host: '127.0.0.1' });
    for (const socket of [here, there]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    here.pipe(there).pipe(here);
    if (frozen) here.unpipe(there);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const freeze = () => {
    frozen = true;
    for (const socket of sockets) socket.unpipe();
  };
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const close = async () => {
    cut();
    server.close();
  };
  return { port: address.port, cut, freeze, close };
}
