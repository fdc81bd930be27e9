import test from 'ava';
import { Collective, type Transmission } from '../../src/collective/collective.ts';
import { TransportError } from '../../src/errors.ts';
import type { Outgoing, Session, Slot } from '../../src/transport/transport.ts';

/** A session that records what it is asked for; sends end when the test says so. */
class Recorder implements Session {
  readonly statistics = { bytesSent: 0, bytesReceived: 0, resent: 0, duplicates: 0, rejected: {} };
  readonly expected: (readonly [iteration: number, slots: readonly Slot[]])[] = [];
  readonly sent: {
    readonly iteration: number;
    readonly outgoing: Outgoing;
    readonly end: PromiseWithResolvers<void>;
  }[] = [];
  readonly awaited: (readonly [iteration: number, messages: readonly number[]])[] = [];
  readonly frees: (readonly [iteration: number, checksums: ReadonlyMap<string, number>])[] = [];

  expect(iteration: number, slots: readonly Slot[]): void {
    this.expected.push([iteration, slots]);
  }

  send(iteration: number, outgoing: Outgoing): Promise<void> {
    const end = Promise.withResolvers<void>();
    this.sent.push({ iteration, outgoing, end });
    return end.promise;
  }

  arrived(iteration: number, messages: readonly number[]): Promise<void> {
    this.awaited.push([iteration, messages]);
    return Promise.resolve();
  }

  free(iteration: number, checksums: ReadonlyMap<string, number>): void {
    this.frees.push([iteration, checksums]);
  }

  freed(iteration: number, peer: string): Promise<number> {
    return Promise.resolve(iteration * 100 + peer.length);
  }

  close(): void {}
}

const SIGNAL = new AbortController().signal;
const DEVICES = ['one', 'three', 'seven'];

const transmission = (id: number, from: number, to: number): Transmission => {
  return { id, from, to, channel: 'activation', bytes: 40, address: 1000 * id };
};

function open(onFailure: (reason: unknown) => void = () => {}): { session: Recorder; collective: Collective } {
  const session = new Recorder();
  return { session, collective: new Collective(session, DEVICES, onFailure) };
}

test('ranks of the plan become names of the session, for slots, sends and checksums', async (t) => {
  const { session, collective } = open();
  collective.expect(4, [transmission(7, 2, 0)]);
  collective.post(4, [transmission(8, 0, 1)], SIGNAL);
  collective.free(4, new Map([[2, 99]]));
  t.deepEqual(session.expected, [[4, [{ message: 7, from: 'seven', offset: 7000, bytes: 40 }]]]);
  t.deepEqual(session.sent[0]!.outgoing, { message: 8, to: 'three', channel: 'activation', offset: 8000, bytes: 40 });
  t.deepEqual(session.frees, [[4, new Map([['seven', 99]])]]);
  t.is(await collective.freed(4, 1, SIGNAL), 405);
});

test('messages are handed over in the order given, at once', (t) => {
  const { session, collective } = open();
  collective.post(1, [transmission(5, 0, 1), transmission(3, 0, 2), transmission(4, 0, 1)], SIGNAL);
  t.deepEqual(
    session.sent.map(({ outgoing }) => outgoing.message),
    [5, 3, 4],
  );
});

test('a region is settled once its own last send is, whatever else is under way', async (t) => {
  const { session, collective } = open();
  collective.post(1, [transmission(1, 0, 1), transmission(2, 0, 2)], SIGNAL);
  let settled = false;
  const waiting = collective.settled([1]).then(() => (settled = true));
  await new Promise(setImmediate);
  t.false(settled);
  session.sent[0]!.end.resolve();
  await waiting;
  t.true(settled, 'message 2 is still on its way');
  await collective.settled([3]);
});

test('all regions are settled only when every send is', async (t) => {
  const { session, collective } = open();
  collective.post(1, [transmission(1, 0, 1), transmission(2, 0, 2)], SIGNAL);
  let settled = false;
  const waiting = collective.allSettled().then(() => (settled = true));
  session.sent[1]!.end.resolve();
  await new Promise(setImmediate);
  t.false(settled);
  session.sent[0]!.end.resolve();
  await waiting;
  t.true(settled);
});

test('nothing is asked of the session where there is nothing to wait for', async (t) => {
  const { session, collective } = open();
  await collective.arrived(1, [], SIGNAL);
  t.deepEqual(session.awaited, []);
  await collective.arrived(1, [6, 2], SIGNAL);
  t.deepEqual(session.awaited, [[1, [6, 2]]]);
});

test('a send that fails is reported, and is found by whoever waits for its region', async (t) => {
  const reasons: unknown[] = [];
  const { session, collective } = open((reason) => reasons.push(reason));
  collective.post(1, [transmission(1, 0, 1)], SIGNAL);
  const lost = new TransportError('peerLost', 'lost three');
  session.sent[0]!.end.reject(lost);
  t.is(await t.throwsAsync(collective.settled([1])), lost);
  t.deepEqual(reasons, [lost]);
});

test('a rank that the plan does not have is refused', (t) => {
  const { collective } = open();
  const error = t.throws(() => collective.expect(1, [transmission(1, 3, 0)]), { instanceOf: TransportError });
  t.is(error.code, 'unknownPeer');
});
