import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { connectAsync } from 'mqtt';
import type { Drive } from '../../src/session/context.ts';
import { Operator } from '../../src/session/operator.ts';
import type { Submission } from '../../src/session/submission.ts';
import { digitsJob, scratch, someDigits } from '../support/digits.ts';
import { startNodes, type Nodes } from '../support/nodes.ts';
import { pause as wait, until } from '../support/processes.ts';

/** Steps that each node has begun. */
interface Counted extends Nodes {
  readonly begun: number[];
}

/** Two nodes whose trainers count what they begin. */
async function counted(): Promise<Counted> {
  const begun = [0, 0];
  const counting =
    (rank: number): Drive =>
    (run) => {
      const next = run.nextBatch.bind(run);
      run.nextBatch = async () => {
        const batch = await next();
        if (batch) begun[rank]!++;
        return batch;
      };
      return run.train();
    };
  const cluster = await startNodes(2, (rank) => ({ drive: counting(rank) }));
  return { ...cluster, begun };
}

async function job(t: ExecutionContext, steps: number): Promise<Submission> {
  const directory = await scratch(t);
  const more = { plan: { grid: '1x2' }, steps, epochs: undefined };
  const text = JSON.stringify(digitsJob(await someDigits(directory, 640, 64), more));
  return { text, directory, source: 'job.yaml', resume: false, writers: 'first' };
}

/** Follows the states that a node says. */
function states({ nodes, cluster }: Nodes, of: string): readonly string[] {
  const heard: string[] = [];
  nodes[0]!.bulletin.on(`mqtile/${cluster}/node/${of}/state`, (_, document) => {
    const { state } = document as { state: string };
    // A node says it again at each connect.
    if (state !== heard.at(-1)) heard.push(state);
  });
  return heard;
}

/** The steps that have begun once none begins any more. */
async function still({ begun }: Counted): Promise<string> {
  for (let [before, now] = ['', begun.join()]; ; [before, now] = [now, begun.join()]) {
    if (before === now) return now;
    await wait(250);
  }
}

test('a run that was paused on one node, twice, has the weights of one that was not', async (t) => {
  const undisturbed = await job(t, 60);
  await using reference = await startNodes(2);
  await using watcher = await Operator.connect(reference.url, reference.cluster);
  const wanted = await watcher.follow(await reference.nodes[0]!.submit(undisturbed), () => {});

  await using cluster = await counted();
  await using operator = await Operator.connect(cluster.url, cluster.cluster);
  const heard = states(cluster, 'node2');
  const accepted = await cluster.nodes[0]!.submit(undisturbed);
  const done = operator.follow(accepted, () => {});
  const [, second] = cluster.nodes;
  for (const steps of [5, 20]) {
    await until(() => cluster.begun[1]! >= steps, `${steps} steps`);
    second!.pause();
    second!.pause();
    await until(() => heard.at(-1) === 'paused', 'the other node to hear of it');
    const at = await still(cluster);
    t.true(cluster.begun[1]! < 60, 'the pause came too late to disturb anything');
    t.is(await still(cluster), at);
    second!.continue();
    second!.continue();
    await until(() => heard.at(-1) === 'training', 'the other node to hear of it');
  }
  const results = await done;
  t.is(results.get('node1')!.weightsChecksum, wanted.get('node1')!.weightsChecksum);
  t.deepEqual(
    heard.filter((state) => state === 'paused' || state === 'training'),
    ['training', 'paused', 'training', 'paused', 'training'],
  );
  await until(() => heard.at(-1) === 'online', 'the end');
});

test('a run can be paused before its first step, and stopped while it is paused', async (t) => {
  await using cluster = await counted();
  await using operator = await Operator.connect(cluster.url, cluster.cluster);
  const heard = states(cluster, 'node1');
  const accepted = await cluster.nodes[0]!.submit(await job(t, 500));
  const ended = operator.follow(accepted, () => {});
  await until(() => heard.at(-1) === 'training', 'the node to take part');
  cluster.nodes[0]!.pause();
  t.is(heard.at(-1), 'paused');
  await until(() => cluster.begun[1]! > 0, 'the other node to be ready and wait');
  t.is(cluster.begun[0], 0);
  cluster.nodes[0]!.stop();
  await t.throwsAsync(ended, { code: 'stopped' });
  await until(() => heard.at(-1) === 'online', 'the node to be free');
  cluster.nodes[0]!.pause();
  t.is(heard.at(-1), 'online', 'there is nothing to pause');
});

test('a driver that pauses its run by itself says so too, and an operator lets it go on', async (t) => {
  let [held, asked] = [false, 0];
  const holds: Drive = (run) => {
    const next = run.nextBatch.bind(run);
    run.nextBatch = () => {
      if (++asked === 3) {
        run.pause();
        held = true;
      }
      return next();
    };
    return run.train();
  };
  await using cluster = await startNodes(2, (rank) => (rank === 0 ? { drive: holds } : {}));
  await using operator = await Operator.connect(cluster.url, cluster.cluster);
  const heard = states(cluster, 'node1');
  const done = operator.follow(await cluster.nodes[0]!.submit(await job(t, 5)), () => {});
  await until(() => held, 'the driver to pause');
  t.is(heard.at(-1), 'paused');
  cluster.nodes[0]!.continue();
  t.is((await done).size, 2);
});

test('operators pause and resume by request, and ask a node who it is', async (t) => {
  await using cluster = await counted();
  const client = await connectAsync(cluster.url, { protocolVersion: 4, reconnectPeriod: 0 });
  t.teardown(() => client.endAsync(true));
  const answers: Record<string, unknown>[] = [];
  client.on('message', (topic, payload) =>
    answers.push({ command: topic.split('/').at(-1), ...(JSON.parse(payload.toString()) as object) }),
  );
  await client.subscribeAsync('mqtile/test/response/+', { qos: 1 });
  const ask = async (command: string, transaction = randomBytes(4).toString('hex')) => {
    const before = answers.length;
    await client.publishAsync(`mqtile/test/request/${command}`, JSON.stringify({ transaction }), { qos: 1 });
    await until(() => answers.length > before, `an answer to ${command}`);
    const { transaction: answered, ...answer } = answers.at(-1)!;
    t.is(answered, transaction);
    return answer;
  };
  const [first, second] = cluster.nodes;
  t.deepEqual(await ask('who'), {
    command: 'who',
    name: 'node1',
    peers: [{ name: 'node2', address: `127.0.0.1:${second!.port}` }],
  });
  t.deepEqual(await ask('pause'), { command: 'pause', paused: false });
  await first!.submit(await job(t, 2000));
  const heard = states(cluster, 'node1');
  await until(() => cluster.begun[0]! > 0, 'the run to begin');
  t.deepEqual(await ask('pause'), { command: 'pause', paused: true });
  t.is(heard.at(-1), 'paused');
  t.deepEqual(await ask('pause'), { command: 'pause', paused: true });
  const at = await still(cluster);
  t.deepEqual(await ask('resume'), { command: 'resume', resumed: true });
  await until(() => cluster.begun.join() !== at, 'the run to go on');
  first!.stop();
  await until(() => heard.at(-1) === 'online', 'the end');
  t.deepEqual(await ask('resume'), { command: 'resume', resumed: false });
});
