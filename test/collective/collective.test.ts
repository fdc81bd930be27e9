import test from 'ava';
import { Collective, type Transmission } from '../../src/collective/collective.ts';
import { TransportError } from '../../src/errors.ts';
import { SessionRecorder } from '../support/session-recorder.ts';

const SIGNAL = new AbortController().signal;
const DEVICES = ['one', 'three', 'seven'];

const transmission = (id: number, from: number, to: number): Transmission => {
  return { id, from, to, channel: 'activation', bytes: 40, address: 1000 * id };
};

function open(onFailure: (reason: unknown) => void = () => {}): { session: SessionRecorder; collective: Collective } {
  const session = new SessionRecorder();
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
