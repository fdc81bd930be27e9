import test from 'ava';
import { createMemoryNetwork } from '../../src/transport/memory.ts';
import type { MemoryNetworkOptions } from '../../src/transport/memory.ts';
import { exchange } from './exchange.ts';

const CHUNK = 262144;
const QUICK = { resendMs: 10, resendLimitMs: 40, freedMs: 20 };

function transports(names: readonly string[], options: MemoryNetworkOptions = {}) {
  const network = createMemoryNetwork(names, { timing: QUICK, ...options });
  return [...network.values()].map((node) => node.transport);
}

test('messages of 0.1 to 3 chunks arrive whole, exactly once, in both directions', async (t) => {
  const nodes = transports(['a', 'b'], { timing: { resendMs: 60_000 } });
  const sizes = [4, 0.1 * CHUNK, CHUNK - 4, CHUNK, CHUNK + 4, 3 * CHUNK].map((bytes) => 4 * Math.floor(bytes / 4));
  const sessions = await exchange(nodes, { iterations: 5, sizes, signal: new AbortController().signal });
  for (const { statistics } of sessions) {
    t.is(statistics.resent, 0);
    t.deepEqual(statistics.rejected, {});
    t.true(statistics.bytesReceived > 5 * sizes.reduce((a, b) => a + b));
  }
});

test('an empty message and many small ones arrive among four nodes', async (t) => {
  const nodes = transports(['a', 'b', 'c', 'd']);
  await exchange(nodes, { iterations: 40, sizes: [0, 4, 400, 4000, 8], signal: new AbortController().signal });
  t.pass();
});

const FAULTS = {
  'dropped frames': { drop: 0.1 },
  'duplicated frames': { duplicate: 0.3 },
  'delayed and reordered frames': { delay: 0.3 },
  'flipped bits': { flip: 0.1 },
  'connections cut at random': { cut: 0.05 },
  'all of it together': { drop: 0.03, duplicate: 0.1, delay: 0.1, flip: 0.03, cut: 0.02 },
};

for (const [kind, faults] of Object.entries(FAULTS)) {
  for (const seed of [1, 2, 3]) {
    test(`every byte arrives exactly once in spite of ${kind} (seed ${seed})`, async (t) => {
      const nodes = transports(['a', 'b', 'c'], { faults: { seed: 10 * seed, ...faults } });
      const sizes = [40, 0.1 * CHUNK, 1.1 * CHUNK].map((bytes) => 4 * Math.floor(bytes / 4));
      const sessions = await exchange(nodes, { iterations: 10, sizes, signal: AbortSignal.timeout(30_000) });
      const total = (count: (s: (typeof sessions)[number]['statistics']) => number) =>
        sessions.reduce((sum, session) => sum + count(session.statistics), 0);
      if ('drop' in faults || 'cut' in faults) t.true(total((s) => s.resent) > 0);
      if ('duplicate' in faults) t.true(total((s) => s.duplicates) > 0);
      if ('flip' in faults) t.true(total((s) => s.rejected['crc'] ?? 0) > 0);
      t.is(
        total((s) => s.rejected['credit'] ?? 0),
        0,
      );
    });
  }
}

test('a document reaches every node, retained ones also those who listen later', async (t) => {
  const network = createMemoryNetwork(['a', 'b', 'c']);
  const [a, b, c] = [...network.values()].map((node) => node.bulletin);
  const heard: unknown[] = [];
  a!.on('mqtile/+/node/#', (topic, document, from) => heard.push(['a', topic, document, from]));
  b!.on('mqtile/+/node/#', (topic, document, from) => heard.push(['b', topic, document, from]));
  a!.post('mqtile/c/node/a/state', { state: 'online' }, { retain: true });
  a!.post('mqtile/c/response/start', 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const off = c!.on('mqtile/c/node/+/state', (topic, document, from) => heard.push(['c', topic, document, from]));
  t.deepEqual(heard, [
    ['a', 'mqtile/c/node/a/state', { state: 'online' }, undefined],
    ['b', 'mqtile/c/node/a/state', { state: 'online' }, 'a'],
    ['c', 'mqtile/c/node/a/state', { state: 'online' }, 'a'],
  ]);
  off();
  a!.post('mqtile/c/node/a/state', undefined, { retain: true });
  await new Promise((resolve) => setTimeout(resolve, 5));
  c!.on('mqtile/c/node/+/state', () => t.fail('it was taken back'));
  t.is(heard.length, 3);
});

test('a node that goes away is down and then lost, and ends the waits of its peers', async (t) => {
  const network = createMemoryNetwork(['a', 'b'], { lostMs: 20 });
  const { transport } = network.get('a')!;
  const events: string[] = [];
  transport.onPeer((event) => events.push(`${event.kind} ${event.peer}`));
  const options = { job: 'j', run: '0'.repeat(16), planHash: '0'.repeat(16), peers: ['b'] };
  const session = transport.open({ ...options, memory: new Uint8Array(8) });
  const freed = session.freed(0, 'b', new AbortController().signal);
  network.get('b')!.close();
  await t.throwsAsync(freed, { code: 'peerLost', message: 'lost b: no connection for 0.02 s' });
  t.deepEqual(events, ['down b', 'lost b']);
});
