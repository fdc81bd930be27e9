import { crc32 } from 'node:zlib';
import test from 'ava';
import { ACK_BYTES, decodeAck, emptyAcknowledgement, encodeAck, foreignAck } from '../../src/protocol/ack.ts';
import { identityBytes, writeU32 } from '../../src/protocol/bytes.ts';
import { CHUNK_BYTES, encodeFrame, HEADER_BYTES } from '../../src/protocol/frame.ts';
import type { Outgoing } from '../../src/transport/transport.ts';
import { PLAN, RUN } from './exchange.ts';
import { ackFrame, frame, IDENTITY, isSettled, NEVER, opened, outgoing, turn } from './hand-wire.ts';

test('a message waits until the receiver has freed the iteration two before', async (t) => {
  const { wire, session } = opened();
  const sends = [0, 1, 2, 3].map((iteration) => session.send(iteration, outgoing(iteration), NEVER));
  t.deepEqual(wire.messages(), [0, 1]);
  wire.receive('ack', ackFrame({ freed: 0 }));
  t.deepEqual(wire.messages(), [2]);
  wire.receive('ack', ackFrame({ freed: 1 }));
  t.deepEqual(wire.messages(), [3]);
  session.close();
  for (const send of sends) await t.throwsAsync(send, { code: 'sessionClosed' });
});

test('a send resolves when it is acknowledged and no write of it is pending, in either order', async (t) => {
  const { wire, session } = opened();
  const first = session.send(0, outgoing(1), NEVER);
  wire.receive('ack', ackFrame({ placed: [[0, 1, 0]] }));
  t.false(await isSettled(first));
  wire.sent[0]!.written();
  t.true(await isSettled(first));
  const second = session.send(0, outgoing(2), NEVER);
  wire.sent[1]!.written();
  t.false(await isSettled(second));
  wire.receive('ack', ackFrame({ placed: [[0, 2, 0]] }));
  t.true(await isSettled(second));
  session.close();
});

test('halos overtake parameter buckets that wait for the wire', (t) => {
  const { wire, session } = opened();
  const at = (message: number, channel: Outgoing['channel'], bytes: number) =>
    session.send(0, { ...outgoing(message, channel, bytes), offset: 4096 }, NEVER).catch(() => {});
  void at(1, 'weights', 6 * CHUNK_BYTES);
  t.deepEqual(wire.messages(), [1, 1, 1, 1]);
  void at(2, 'weights', 8);
  void at(3, 'gradient', 8);
  t.deepEqual(wire.messages(), [3]);
  const chunks = [0, 1, 2, 3].map((chunk) => [0, 1, chunk]);
  wire.receive('ack', ackFrame({ placed: chunks }));
  t.deepEqual(wire.messages(), [1, 1, 2]);
  session.close();
});

test('what is not acknowledged in time is sent again, and again', async (t) => {
  const { wire, session } = opened(10);
  const send = session.send(0, outgoing(1), NEVER);
  const seen: number[] = [];
  while (seen.length < 3) {
    for (const { written } of wire.sent) written();
    seen.push(...wire.messages());
    await turn();
  }
  t.true(session.statistics.resent >= 2);
  wire.receive('ack', ackFrame({ placed: [[0, 1, 0]] }));
  for (const { written } of wire.sent) written();
  await send;
  session.close();
});

test('what is not acknowledged is sent again at a reconnect, and nothing while the peer is away', async (t) => {
  const { wire, session } = opened();
  const sends = [session.send(0, outgoing(1), NEVER)];
  wire.sent[0]!.written(new Error('cut'));
  t.deepEqual(wire.messages(), [1]);
  wire.up = false;
  sends.push(session.send(0, outgoing(2), NEVER));
  t.deepEqual(wire.messages(), []);
  wire.up = true;
  wire.listener?.peer({ kind: 'up', peer: 'b' });
  t.deepEqual(
    wire.messages().toSorted((x, y) => x - y),
    [1, 2],
  );
  session.close();
  for (const send of sends) await t.throwsAsync(send, { code: 'sessionClosed' });
});

test('a chunk is placed once, and acknowledged as often as it comes, in one control frame a turn', async (t) => {
  const { wire, session, memory } = opened();
  wire.receive('activation', frame({ value: 5 }));
  memory.fill(0, 0, 8);
  wire.receive('activation', frame({ value: 5 }));
  wire.receive('activation', frame({ message: 2, value: 6 }));
  t.deepEqual([...memory.subarray(0, 8)], Array(8).fill(0));
  t.deepEqual([...memory.subarray(64, 72)], Array(8).fill(6));
  await session.arrived(0, [1, 2], NEVER);
  await turn();
  t.is(wire.sent.length, 1);
  const ack = decodeAck(wire.sent[0]!.bytes, emptyAcknowledgement(), crc32);
  if (typeof ack === 'string') return t.fail(ack);
  t.deepEqual([...ack.placedChunks.subarray(0, 9)], [0, 1, 0, 0, 1, 0, 0, 2, 0]);
  t.is(session.statistics.duplicates, 1);
  session.close();
});

const WRONG: Record<string, { readonly bytes: Uint8Array; readonly resets: number }> = {
  run: { bytes: frame({}, identityBytes('f'.repeat(16), PLAN)), resets: 0 },
  plan: { bytes: frame({}, identityBytes(RUN, '0'.repeat(16))), resets: 0 },
  crc: { bytes: frame({}).fill(9, HEADER_BYTES), resets: 1 },
  magic: { bytes: frame({}).fill(0, 0, 4), resets: 1 },
  length: { bytes: frame({}).subarray(0, 70), resets: 1 },
  version: { bytes: frame({}).fill(2, 4, 5), resets: 0 },
  message: { bytes: frame({ message: 7 }), resets: 0 },
  size: { bytes: wrongSize(), resets: 0 },
};

function wrongSize(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 4);
  encodeFrame(bytes, { iteration: 0, message: 1, chunk: 0, totalBytes: 4 }, IDENTITY, crc32);
  return bytes;
}

for (const [reason, { bytes, resets }] of Object.entries(WRONG)) {
  test(`a frame with a wrong ${reason} is counted and never applied`, (t) => {
    const { wire, session, memory } = opened();
    wire.receive('activation', bytes);
    t.deepEqual(session.statistics.rejected, { [reason]: 1 });
    t.true(memory.every((byte) => byte === 0));
    t.is(wire.resets.length, resets);
    session.close();
  });
}

test('a frame of another run is answered on control, in the name of that run', (t) => {
  const { wire, session } = opened();
  const other = identityBytes('f'.repeat(16), PLAN);
  wire.receive('activation', frame({ message: 2 }, other));
  const answer = wire.sent.find(({ to }) => to.channel === 'ack');
  const ack = answer && decodeAck(answer.bytes, emptyAcknowledgement(), crc32);
  if (!answer || !ack || typeof ack === 'string') return t.fail();
  t.is(foreignAck(answer.bytes, other), undefined);
  t.deepEqual([ack.rejects, ...ack.rejected.subarray(0, 3)], [1, 0, 0, 2]);
  session.close();
});

test('a damaged acknowledgement, and one of another run, is counted and not believed', async (t) => {
  const { wire, session } = opened();
  const send = session.send(0, outgoing(1), NEVER);
  wire.sent[0]!.written();
  const ack = ackFrame({ placed: [[0, 1, 0]] });
  const damaged = Uint8Array.from(ack);
  damaged[30]! ^= 1;
  wire.receive('ack', damaged);
  const foreign = Uint8Array.from(ack);
  foreign[8]! ^= 1;
  writeU32(foreign, foreign.length - 4, crc32(foreign.subarray(0, -4)));
  wire.receive('ack', foreign);
  t.deepEqual(session.statistics.rejected, { crc: 1, run: 1 });
  t.false(await isSettled(send));
  wire.receive('ack', ack);
  await send;
  session.close();
});

test('an iteration beyond the credit is a protocol error that ends the session', async (t) => {
  const { wire, session } = opened();
  const arrived = session.arrived(0, [1], NEVER);
  wire.receive('activation', frame({ iteration: 2 }));
  await t.throwsAsync(arrived, { code: 'creditExceeded', message: /b sent message 1 of iteration 2/ });
  t.deepEqual(session.statistics.rejected, { credit: 1 });
  await t.throwsAsync(session.send(0, outgoing(1), NEVER), { code: 'creditExceeded' });
  session.close();
});

test('frames of a job that is not open are counted', (t) => {
  const { wire, delivery, session } = opened();
  wire.receive('activation', frame({}), 'other');
  session.close();
  wire.receive('activation', frame({}));
  t.is(delivery.strayFrames, 2);
});

test('freed resolves with the checksum of its iteration, also when frames in between were lost', async (t) => {
  const { wire, session } = opened();
  const first = session.freed(0, 'b', NEVER);
  const third = session.freed(2, 'b', NEVER);
  const ack = emptyAcknowledgement();
  ack.freed = 2;
  ack.checksums.set([10, 11, 12]);
  const target = new Uint8Array(ACK_BYTES);
  wire.receive('ack', target.subarray(0, encodeAck(target, ack, IDENTITY, crc32)));
  t.deepEqual(await Promise.all([first, third, session.freed(1, 'b', NEVER)]), [10, 12, 11]);
  session.close();
});

test('an abort ends whatever waits under its signal, and nothing else', async (t) => {
  const { session } = opened();
  const controller = new AbortController();
  const waits = [
    session.send(5, outgoing(1), controller.signal),
    session.arrived(0, [1], controller.signal),
    session.freed(0, 'b', controller.signal),
  ];
  const other = session.arrived(0, [2], NEVER);
  controller.abort(new Error('enough'));
  for (const wait of waits) await t.throwsAsync(wait, { message: 'enough' });
  await t.throwsAsync(session.arrived(0, [1], controller.signal), { message: 'enough' });
  t.false(await isSettled(other));
  session.close();
  await t.throwsAsync(other, { code: 'sessionClosed' });
});

test('misuse is refused by its code', async (t) => {
  const { delivery, session } = opened();
  const options = { job: 'j', run: RUN, planHash: PLAN, peers: ['b'], memory: new Uint8Array(8) };
  t.throws(() => delivery.open(options), { code: 'sessionOpen' });
  const send = session.send(0, outgoing(1), NEVER);
  await t.throwsAsync(session.send(0, outgoing(1), NEVER), { code: 'alreadySending' });
  await t.throwsAsync(session.send(0, { ...outgoing(1), to: 'x' }, NEVER), { code: 'unknownPeer' });
  await t.throwsAsync(session.freed(0, 'x', NEVER), { code: 'unknownPeer' });
  await t.throwsAsync(session.arrived(0, [9], NEVER), { code: 'unexpectedMessage' });
  t.throws(() => session.expect(0, []), { code: 'outOfOrder' });
  t.throws(() => session.free(1, new Map()), { code: 'outOfOrder' });
  const outside = [{ message: 1, from: 'b', offset: CHUNK_BYTES * 8 - 4, bytes: 8 }];
  t.throws(() => session.expect(2, outside), { code: 'slotOutside' });
  session.close();
  session.close();
  await t.throwsAsync(send, { code: 'sessionClosed' });
});
