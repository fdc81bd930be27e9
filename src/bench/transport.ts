/** Benchmark of the transport: two nodes in this process against plain TCP, in the same run. */

import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { CHUNK_BYTES, chunkCount, HEADER_BYTES } from '../protocol/frame.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { createMqttTransport } from '../transport/mqtt.ts';
import type { MqttTransport } from '../transport/mqtt.ts';
import type { Session } from '../transport/transport.ts';

/** Bytes of a message, and how many of them are measured. */
const CASES = [
  { bytes: 4 * 1024, messages: 2000 },
  { bytes: 256 * 1024, messages: 400 },
  { bytes: 1024 * 1024, messages: 200 },
] as const;

/** Messages before the clock starts. */
const WARM_UP = 50;

/** One size of message, there and back: each answers the other. */
export interface TransportRow {
  readonly messageBytes: number;
  /** Both directions together, MB/s. */
  readonly megabytesPerSecond: number;
  /** From the send of a message to the arrival of its answer, median, in ms. */
  readonly roundTripMs: number;
  /** The same over plain TCP. */
  readonly tcpMegabytesPerSecond: number;
  readonly tcpRoundTripMs: number;
  /** MQTile's throughput as a share of plain TCP's. */
  readonly ratio: number;
}

/** Measures round trips between two nodes on loopback, message by message. */
export async function benchTransport(): Promise<readonly TransportRow[]> {
  const rows: TransportRow[] = [];
  for (const { bytes, messages } of CASES) {
    const tcp = summarize(bytes, await tcpRoundTrips(bytes, messages));
    const mqtt = summarize(bytes, await mqttRoundTrips(bytes, messages));
    rows.push({
      messageBytes: bytes,
      megabytesPerSecond: mqtt.megabytesPerSecond,
      roundTripMs: mqtt.medianMs,
      tcpMegabytesPerSecond: tcp.megabytesPerSecond,
      tcpRoundTripMs: tcp.medianMs,
      ratio: mqtt.megabytesPerSecond / tcp.megabytesPerSecond,
    });
  }
  return rows;
}

function summarize(bytes: number, times: readonly number[]): { megabytesPerSecond: number; medianMs: number } {
  const totalMs = times.reduce((sum, ms) => sum + ms, 0);
  const medianMs = times.toSorted((a, b) => a - b)[times.length >> 1]!;
  return { megabytesPerSecond: (2 * bytes * times.length) / 1e3 / totalMs, medianMs };
}

/** Times `count` round trips after the warm-up, in ms each. */
async function timed(count: number, roundTrip: (t: number) => Promise<void>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let t = 0; t < WARM_UP + count; t++) {
    const start = performance.now();
    await roundTrip(t);
    if (t >= WARM_UP) times.push(performance.now() - start);
  }
  return times;
}

async function mqttRoundTrips(bytes: number, count: number): Promise<readonly number[]> {
  await using a = await startNode('a');
  await using b = await startNode('b');
  const ready = Promise.all([whenUp(a), whenUp(b)]);
  a.connect([{ name: 'b', host: '127.0.0.1', port: b.port }]);
  b.connect([{ name: 'a', host: '127.0.0.1', port: a.port }]);
  await ready;
  const here = openSession(a, 'b', bytes);
  const there = openSession(b, 'a', bytes);
  return await timed(count, async (t) => {
    await Promise.all([here.send(t), there.receive(t), there.send(t), here.receive(t)]);
  });
}

function startNode(name: string): Promise<MqttTransport> {
  const info = { version: 'bench', protocol: PROTOCOL_VERSION, instance: name, cores: 1, memoryBytes: 0 };
  return createMqttTransport({ cluster: 'bench', name, info, listen: { host: '127.0.0.1', port: 0 } });
}

async function whenUp({ transport }: MqttTransport): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  transport.onPeer((event) => event.kind === 'up' && resolve());
  await promise;
}

/** A session that sends one message an iteration and receives one. */
function openSession({ transport }: MqttTransport, peer: string, bytes: number) {
  const { signal } = new AbortController();
  const regionBytes = bytes + chunkCount(bytes) * HEADER_BYTES;
  const memory = new Uint8Array(2 * bytes + 2 * regionBytes);
  const options = { job: 'bench', run: '0'.repeat(16), planHash: '0'.repeat(16), peers: [peer], memory };
  const session: Session = transport.open(options);
  const slots = [0, bytes].map((offset) => [{ message: 0, from: peer, offset, bytes }]);
  const regions = [0, regionBytes].map((room) => ({
    message: 0,
    to: peer,
    channel: 'activation' as const,
    offset: 2 * bytes + room + HEADER_BYTES,
    bytes,
  }));
  session.expect(0, slots[0]!);
  session.expect(1, slots[1]!);
  return {
    send: (t: number) => session.send(t, regions[t % 2]!, signal),
    receive: async (t: number) => {
      await session.arrived(t, [0], signal);
      session.expect(t + 2, slots[t % 2]!);
      session.free(t, new Map());
    },
  };
}

/** Both ends send at once and wait for all bytes of the other, as the nodes do. */
async function tcpRoundTrips(bytes: number, count: number): Promise<readonly number[]> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ noDelay: true }, accepted.resolve);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const here = connect({ port, host: '127.0.0.1', noDelay: true });
  const there = await accepted.promise;
  const message = new Uint8Array(bytes);
  const ends = [endOf(here, message), endOf(there, message)];
  const times = await timed(count, async () => {
    await Promise.all(ends.map((exchange) => exchange()));
  });
  here.destroy();
  there.destroy();
  server.close();
  return times;
}

function endOf(socket: Socket, message: Uint8Array): () => Promise<void> {
  const slot = new Uint8Array(message.length);
  let got = 0;
  let arrived: (() => void) | undefined;
  socket.on('data', (part: Buffer) => {
    slot.set(part.subarray(0, slot.length - got), got);
    got += part.length;
    if (got >= message.length) arrived?.();
  });
  return async () => {
    const whole = Promise.withResolvers<void>();
    arrived = whole.resolve;
    for (let at = 0; at < message.length; at += CHUNK_BYTES) socket.write(message.subarray(at, at + CHUNK_BYTES));
    if (got >= message.length) whole.resolve();
    await whole.promise;
    got -= message.length;
  };
}
