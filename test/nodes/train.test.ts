import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { train } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { freePorts, startRuntime, type Runtime } from '../support/node-red.ts';
import { errorAt, trainFlow as flow } from '../support/train-flow.ts';

const STEPS = 20;

/** A job file of LeNet-5 on 6,000 digits. */
async function jobFile(t: ExecutionContext, steps = STEPS): Promise<string> {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  return writeJob(directory, digitsJob(digits, { steps, epochs: undefined }));
}

/** mqtile-train at the second of two mqtile-nodes of one name. */
function twins(job: string): readonly Record<string, unknown>[] {
  return flow({ job }).flatMap((node) => {
    if (node['id'] === 'train') return [{ ...node, node: 'twin' }];
    return node['id'] === 'n1' ? [node, { ...node, id: 'twin', listen: '127.0.0.1:1' }] : [node];
  });
}

async function ready(runtime: Runtime): Promise<void> {
  await runtime.status('train', ({ text }) => text === 'ready');
}

test.serial('a node embedded in Node-RED trains to the weights of mqtile train', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  await runtime.load(flow({ job }));
  await ready(runtime);
  runtime.inject('train', { payload: 'start', asked: 'by hand' });
  const model = await runtime.message('model');
  const reference = await train(t, [job, '--local', '1', '--grid', '1x1']);
  const payload = model['payload'] as Record<string, unknown>;
  t.is(payload['weightsChecksum'], reference.weightsChecksum);
  t.is(payload['testAccuracy'], reference.testAccuracy);
  t.is(payload['checkpoint'], reference.checkpoint);
  t.is(model['topic'], 'mqtile/local/job/job/state');
  t.is(model['asked'], 'by hand');
  const progress = await runtime.message('progress');
  t.regex(progress['topic'] as string, /^mqtile\/local\/job\/job\/telemetry\/node1\/(step|epoch)$/);
  t.is((progress['mqtile'] as { device: string }).device, 'node1');
  t.is((progress['mqtile'] as { run: string }).run, (model['mqtile'] as { run: string }).run);
  t.is(progress['asked'], 'by hand');
  const { fill, text } = await runtime.status('train', ({ text }) => text!.startsWith('done'));
  t.is(fill, 'green');
  t.is(text, `done, ${(100 * reference.testAccuracy!).toFixed(2)} % right`);
  const loss = runtime.messages('figures').findLast(({ topic }) => topic === 'node1/loss');
  t.is(typeof loss!['payload'], 'number');
  t.is(loss!['node'], 'node1');
  t.is((loss!['mqtile'] as { step: number }).step, STEPS);
  const memory = runtime.messages('figures').find(({ topic }) => topic === 'node1/memory');
  t.true((memory!['payload'] as { residentBytes: number }).residentBytes > 0);
  t.is(runtime.messages('errors').length, 0);
});

test.serial('a job in fields trains to the weights of the job file that says the same', async (t) => {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 640, 64);
  const file = await writeJob(directory, digitsJob(digits, { steps: 5, epochs: undefined, plan: { grid: '1x1' } }));
  const runtime = await startRuntime(t, { userDir: directory });
  const more = {
    batch: '64',
    epochs: '',
    steps: '5',
    rate: '0.05',
    momentum: '0.9',
    decay: '',
    weightDecay: '',
    seed: '',
  };
  const fields = {
    ...digits,
    ...more,
    source: 'fields',
    jobName: 'mine',
    model: 'lenet5',
    shuffle: true,
    mode: 'strict',
    directory: 'kept',
  };
  await runtime.load(flow({ job: '' }).map((node) => (node['id'] === 'job' ? { ...node, ...fields } : node)));
  await ready(runtime);
  runtime.inject('train', { payload: 'start' });
  const model = await runtime.message('model');
  const payload = model['payload'] as Record<string, unknown>;
  t.is(model['topic'], 'mqtile/local/job/mine/state');
  t.is(payload['checkpoint'], join(directory, 'kept', 'step-000005.safetensors'));
  const reference = await train(t, [file, '--local', '1']);
  t.is(payload['weightsChecksum'], reference.weightsChecksum);
  t.deepEqual(runtime.messages('errors'), []);
});

test.serial('two nodes in one runtime train to the weights of mqtile train, also through a full deploy', async (t) => {
  const job = await jobFile(t, 40);
  const runtime = await startRuntime(t);
  const wiring = flow({ job, grid: '1x2', ports: await freePorts(2) });
  await runtime.load(wiring);
  await ready(runtime);
  runtime.inject('train', { payload: 'start', asked: 'by hand' });
  await runtime.status('on-n2', ({ text }) => text!.startsWith('training'));
  await runtime.deploy(wiring);
  const { text } = await runtime.status('train', () => true);
  t.regex(text!, /^training/, 'the deploy came too late to disturb anything');
  const model = await runtime.message('model');
  const reference = await train(t, [job, '--local', '2', '--grid', '1x2']);
  t.is((model['payload'] as Record<string, unknown>)['weightsChecksum'], reference.weightsChecksum);
  t.is(model['asked'], 'by hand');
  await runtime.status('on-n2', ({ text }) => text!.startsWith('done'));
  t.is(runtime.messages('model').length, 1);
  t.is(runtime.messages('errors').length, 0);
});

test.serial('stop ends the run without an error, and the node takes the next start', async (t) => {
  const job = await jobFile(t, 5000);
  const runtime = await startRuntime(t);
  await runtime.load(flow({ job }));
  await ready(runtime);
  for (let round = 0; round < 2; round++) {
    runtime.inject('train', { payload: 'start' });
    await runtime.status('train', ({ text }) => text!.startsWith('training'));
    runtime.inject('train', { payload: 'stop' });
    const { fill } = await runtime.status('train', ({ text }) => text!.startsWith('stopped'));
    t.is(fill, 'grey');
  }
  t.is(runtime.messages('model').length, 0);
  t.is(runtime.messages('errors').length, 0);
});

test.serial('what is wrong with settings or messages is a red status and an error at a Catch node', async (t) => {
  const job = await jobFile(t);
  const missing = join(await scratch(t), 'nowhere.yaml');
  const endless: Record<string, unknown> = {};
  endless['self'] = endless;
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const cases = [
    { what: 'a job file that is missing', wiring: flow({ job: missing }), code: 'jobMissing', says: missing },
    { what: 'a grid for other nodes', wiring: flow({ job, grid: '2x2' }), code: 'gridMismatch', says: '2x2' },
    { what: 'a word that is no command', wiring: flow({ job }), payload: 'go', code: 'commandUnknown', says: 'resume' },
    {
      what: 'no node chosen',
      wiring: flow({ job }).map((node) => (node['id'] === 'train' ? { ...node, node: '' } : node)),
      says: 'choose one',
    },
    { what: 'a payload without end', wiring: flow({ job }), payload: endless, says: 'circular' },
    { what: 'a port that is taken', wiring: flow({ job, ports: [port] }), code: 'portInUse', says: String(port) },
    { what: 'two nodes of one name', wiring: twins(job), code: 'nodeTwice', says: 'one mqtile-node for each name' },
  ];
  const runtime = await startRuntime(t);
  await runtime.load(flow({ job }));
  for (const { what, wiring, payload = 'start', code, says } of cases) {
    await runtime.deploy(wiring);
    const before = runtime.messages('errors').length;
    runtime.inject('train', { payload, id: what });
    const caught = await runtime.until(() =>
      runtime
        .messages('errors')
        .slice(before)
        .find((message) => message['id'] === what),
    );
    t.is(errorAt(caught).code, code, what);
    t.true(errorAt(caught).message.includes(says), `${what}: ${errorAt(caught).message}`);
    t.is(errorAt(caught).source.id, 'train');
    t.is(runtime.statuses.get('train')?.fill, 'red', what);
  }
});

test.serial('a node with peers refuses an editor that the network can reach without a password', async (t) => {
  const job = await jobFile(t);
  const ports = await freePorts(2);
  for (const { settings, refused } of [
    { settings: { uiHost: '0.0.0.0' }, refused: true },
    { settings: { uiHost: '0.0.0.0', adminAuth: { type: 'credentials', users: [] } }, refused: false },
  ]) {
    const runtime = await startRuntime(t, settings);
    await runtime.load(flow({ job, grid: '1x2', ports }));
    const { fill, text } = await runtime.status('train', () => true);
    t.is(fill, refused ? 'red' : 'grey');
    t.regex(text!, refused ? /anybody on the network/ : /^ready$|^waiting for node2$/);
    await runtime.stop();
  }
});
