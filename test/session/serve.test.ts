import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { connectAsync, type MqttClient } from 'mqtt';
import { jobOf } from '../../src/session/submission.ts';
import { planHashOf, planOf } from '../../src/session/spec.ts';
import { parseNodeInfo, type Member, type NodeInfo } from '../../src/protocol/documents.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import { startNode } from '../../src/node.ts';
import { VERSION } from '../../src/version.ts';
import { digitsJob, scratch, someDigits } from '../support/digits.ts';
import { until } from '../support/processes.ts';
import { watchBroker, type Seen } from '../support/watch.ts';
import { node as transportNode } from '../transport/cluster.ts';
import type { MqttTransport } from '../../src/transport/mqtt.ts';

const HOST = '127.0.0.1';

/** A real node, and a peer that is only a transport: it says to the node whatever a test wants said. */
interface Pair {
  readonly port: number;
  readonly peer: MqttTransport;
  readonly seen: readonly Seen[];
  /** What the node says of itself. */
  readonly info: NodeInfo;
}

async function pair(t: ExecutionContext): Promise<Pair> {
  const node = await startNode({
    name: 'real',
    cluster: 'c',
    listen: { host: HOST, port: 0 },
    peers: [],
    insecure: false,
  });
  t.teardown(() => node.close());
  const instance = 'fedcba9876543210';
  const peer = await transportNode('fake', {
    info: { version: VERSION, protocol: PROTOCOL_VERSION, instance, cores: 1, memoryBytes: 1 },
  });
  t.teardown(() => peer.close());
  peer.connect([{ name: 'real', host: HOST, port: node.port }]);
  node.connect([{ name: 'fake', host: HOST, port: peer.port }]);
  const seen = await watchBroker(t, node.port);
  const infos = () => seen.filter(({ topic }) => topic === 'mqtile/c/node/real/info');
  await until(() => infos().length > 0 && peer.peersUp().length === 1, 'the two to be connected');
  return { port: node.port, peer, seen, info: parseNodeInfo(infos()[0]!.document)! };
}

/** What the fake peer would submit, and what the real node would make of it. */
async function submission(t: ExecutionContext, info: NodeInfo) {
  const directory = await scratch(t);
  const job = digitsJob(await someDigits(directory, 64, 64), { name: 'shared', plan: { grid: '1x2' } });
  const text = JSON.stringify(job);
  const submission = { text, directory, source: 'job.yaml', resume: false, writers: 'first' as const };
  const plan = planOf(jobOf(submission), ['fake', 'real']);
  const members = [
    { name: 'fake', instance: 'fedcba9876543210' },
    { name: 'real', instance: info.instance },
  ];
  const run = randomBytes(8).toString('hex');
  const spec = { run, protocol: PROTOCOL_VERSION, version: VERSION, submitter: 'fake', members, submission };
  return { spec, plan: { run, planHash: planHashOf(jobOf(submission), plan), plan } };
}

type Submitted = Awaited<ReturnType<typeof submission>>;

function post({ peer }: Pair, { spec, plan }: Submitted): void {
  peer.bulletin.post('mqtile/c/job/shared/spec', spec, { retain: true });
  peer.bulletin.post('mqtile/c/job/shared/plan', plan, { retain: true });
}

const said = ({ seen }: Pair, run: string) =>
  seen
    .filter(({ topic, document }) => topic === 'mqtile/c/job/shared/member/real' && document['run'] === run)
    .map(({ document }) => document as unknown as Member);

/** The first failure that the node reports for a run. */
async function failure(couple: Pair, run: string): Promise<Member> {
  const failed = () => said(couple, run).find(({ state }) => state === 'failed');
  await until(() => failed() !== undefined, 'the node to fail');
  return failed()!;
}

test.serial('a node that computes another plan than the submitter says so, with both hashes', async (t) => {
  const couple = await pair(t);
  const { spec, plan } = await submission(t, couple.info);
  post(couple, { spec, plan: { ...plan, planHash: '0000000000000000' } });
  const { code, reason, input } = await failure(couple, spec.run);
  t.is(code, 'planMismatch');
  t.is(input, true);
  t.regex(
    reason!,
    new RegExp(`^fake made another plan \\(0000000000000000, here ${plan.planHash}\\); install the same version`),
  );
});

test.serial('a spec of another protocol is refused with both versions', async (t) => {
  const couple = await pair(t);
  const { spec, plan } = await submission(t, couple.info);
  post(couple, { spec: { ...spec, protocol: 2, version: '9.9.9' }, plan });
  const { code, reason } = await failure(couple, spec.run);
  t.is(code, 'versionMismatch');
  t.regex(reason!, /^fake runs MQTile 9\.9\.9 \(protocol 2\), this node .*; install the same version on both$/);
});

test.serial('a member that made another plan stops the run of the others', async (t) => {
  const couple = await pair(t);
  const submitted = await submission(t, couple.info);
  post(couple, submitted);
  const { run } = submitted.spec;
  await until(() => said(couple, run).some(({ state }) => state === 'ready'), 'the node to be ready');
  const member = { run, planHash: '1111111111111111', instance: 'fedcba9876543210', state: 'ready' };
  couple.peer.bulletin.post('mqtile/c/job/shared/member/fake', member, { retain: true });
  const { code, reason } = await failure(couple, run);
  t.is(code, 'planMismatch');
  t.regex(reason!, /^fake made another plan \(1111111111111111, here [0-9a-f]{16}\)/);
});

const ENDS = [
  { code: 'stopped', heard: 'stopped' },
  { code: 'dataDiffers', heard: 'memberFailed' },
];

for (const { code, heard } of ENDS) {
  test.serial(`a member that ends with ${code} ends the run of the others with ${heard}`, async (t) => {
    const couple = await pair(t);
    const submitted = await submission(t, couple.info);
    post(couple, submitted);
    const { run } = submitted.spec;
    await until(() => said(couple, run).some(({ state }) => state === 'ready'), 'the node to be ready');
    const { planHash } = submitted.plan;
    const member = { run, planHash, instance: 'fedcba9876543210', state: 'failed', code, reason: 'why' };
    couple.peer.bulletin.post('mqtile/c/job/shared/member/fake', member, { retain: true });
    const { code: own, reason } = await failure(couple, run);
    t.is(own, heard);
    t.is(reason, 'fake: why');
  });
}

test.serial(
  'a job that names an earlier start of this node is not for it, nor is one that another node signed',
  async (t) => {
    const couple = await pair(t);
    const old = await submission(t, { ...couple.info, instance: '0000000000000000' });
    post(couple, old);
    const forged = await submission(t, couple.info);
    post(couple, { ...forged, spec: { ...forged.spec, submitter: 'real' } });
    const real = await submission(t, couple.info);
    post(couple, real);
    await until(() => said(couple, real.spec.run).length > 0, 'the node to answer the third');
    t.deepEqual(said(couple, old.spec.run), []);
    t.deepEqual(said(couple, forged.spec.run), []);
  },
);

test.serial('while it takes part in one job a node declines another at once, with code busy', async (t) => {
  const couple = await pair(t);
  const first = await submission(t, couple.info);
  post(couple, first);
  await until(() => said(couple, first.spec.run).some(({ state }) => state === 'ready'), 'the node to be ready');
  const second = await submission(t, couple.info);
  post(couple, second);
  const { code, reason, input } = await failure(couple, second.spec.run);
  t.is(code, 'busy');
  t.is(input, true);
  t.is(reason, 'real is training already; wait for its end or stop it first');
  t.false(
    said(couple, first.spec.run).some(({ state }) => state === 'failed'),
    'the first job is not disturbed',
  );
});

/** Somebody at a node's broker who asks for things. */
async function asker(t: ExecutionContext, port: number): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://${HOST}:${port}`, { protocolVersion: 4, reconnectPeriod: 0 });
  t.teardown(() => client.endAsync(true));
  return client;
}

test.serial('requests are answered once however often they come, and nonsense not at all', async (t) => {
  const couple = await pair(t);
  const client = await asker(t, couple.port);
  const ask = (command: string, document: unknown) =>
    client.publishAsync(`mqtile/c/request/${command}`, JSON.stringify(document), { qos: 1 });
  for (let k = 0; k < 3; k++) await ask('stop', { transaction: 'once' });
  await ask('stop', { transaction: 7 });
  await ask('start', { transaction: 'bad', submission: { text: 'model: lenet5' } });
  await ask('stop', { transaction: 'last' });
  const responses = () => couple.seen.filter(({ topic }) => topic.startsWith('mqtile/c/response/'));
  await until(() => responses().some(({ document }) => document['transaction'] === 'last'), 'the last answer');
  t.deepEqual(
    responses().map(({ document }) => document),
    [
      { transaction: 'once', stopped: false },
      { transaction: 'last', stopped: false },
    ],
  );
});
