import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startCommand, train, type Command } from '../support/command.ts';
import { writeNodeConfig } from '../support/daemons.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { startRuntime } from '../support/node-red.ts';
import { errorAt, trainFlow } from '../support/train-flow.ts';

interface Site {
  readonly job: string;
  readonly socket: string;
  /** Starts the daemon. */
  start(): Promise<Command>;
}

/** A job of LeNet-5 on 6,000 digits, and the file of a daemon with a socket. */
async function site(t: ExecutionContext, steps: number, more: Readonly<Record<string, unknown>> = {}): Promise<Site> {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  const job = await writeJob(directory, digitsJob(digits, { steps, epochs: undefined, plan: { grid: '1x1' } }));
  const socket = join(directory, 'pi1.sock');
  const config = await writeNodeConfig(directory, { name: 'pi1', port: 0, socket, ...more });
  const start = async () => {
    const command = startCommand(t, ['node', '--config', config]);
    await command.until(({ stderr }) => stderr.includes(' listens on ') || undefined, 'it listened');
    return command;
  };
  return { job, socket, start };
}

test.serial('a Node-RED that is attached to a daemon trains there, to the weights of mqtile train', async (t) => {
  const { job, socket, start } = await site(t, 20);
  await start();
  const runtime = await startRuntime(t);
  await runtime.load(trainFlow({ job, socket }));
  await runtime.status('train', ({ text }) => text === 'ready');
  runtime.inject('train', { payload: 'start', asked: 'by hand' });
  const model = await runtime.message('model');
  const reference = await train(t, [job, '--local', '1']);
  const payload = model['payload'] as Record<string, unknown>;
  t.is(payload['weightsChecksum'], reference.weightsChecksum);
  t.is(payload['checkpoint'], reference.checkpoint);
  t.is(model['topic'], 'mqtile/test/job/job/state');
  t.is(model['asked'], 'by hand');
  const progress = await runtime.message('progress');
  t.is((progress['mqtile'] as { device: string }).device, 'pi1');
  await runtime.status('train', ({ text }) => text!.startsWith('done'));
  await runtime.until(() => runtime.messages('figures').find(({ topic }) => topic === 'pi1/loss'));
  t.is(runtime.messages('model').length, 1);
  t.deepEqual(runtime.messages('errors'), []);

  const bySocket = startCommand(t, ['train', job, '--broker', `unix:${socket}`, '--cluster', 'test', '--json']);
  t.is((await bySocket.ended).code, 0, bySocket.stderr);
  t.is(bySocket.events().at(-1)!['weightsChecksum'], reference.weightsChecksum);
});

test.serial(
  'a daemon that is killed during a run is a red status and an error; once it is back the next start trains',
  async (t) => {
    const { job, socket, start } = await site(t, 50_000);
    const away = `no daemon at ${socket}: start mqtile node`;
    const runtime = await startRuntime(t);
    const wiring = trainFlow({ job, socket });
    await runtime.load(wiring);
    t.is((await runtime.status('train', ({ fill }) => fill === 'red')).text, away);
    t.is((await runtime.status('telemetry', ({ fill }) => fill === 'red')).text, away);
    runtime.inject('train', { payload: 'start' });
    const refused = await runtime.message('errors');
    t.is(errorAt(refused).code, 'noDaemon');
    t.true(errorAt(refused).message.endsWith(away));

    const daemon = await start();
    await runtime.status('train', ({ text }) => text === 'ready');
    await runtime.status('telemetry', ({ text }) => text === 'listening in test');
    runtime.inject('train', { payload: 'start', asked: 'by hand' });
    await runtime.status('train', ({ text }) => text!.startsWith('training step'));
    await runtime.deploy(wiring);
    await runtime.status('train', ({ text }) => text!.startsWith('training step'));
    daemon.child.kill('SIGKILL');
    const gone = await runtime.message('errors', 1);
    t.is(errorAt(gone).code, 'nodeGone');
    t.true(errorAt(gone).message.includes('start mqtile node, then go on with resume'));
    t.is(gone['asked'], 'by hand');
    t.is((await runtime.status('train', ({ text }) => text === away)).fill, 'red');

    await start();
    await runtime.status('train', ({ text }) => text === 'ready');
    runtime.inject('train', { payload: 'start' });
    await runtime.status('train', ({ text }) => text!.startsWith('training step'));
    runtime.inject('train', { payload: 'pause' });
    await runtime.status('train', ({ text }) => /^paused at step \d+$/.test(text!));
    runtime.inject('train', { payload: 'start' });
    await runtime.status('train', ({ text }) => text!.startsWith('training step'));
    runtime.inject('train', { payload: 'stop' });
    await runtime.status('train', ({ text }) => text!.startsWith('stopped'));
    t.is(runtime.messages('errors').length, 2);
    t.is(runtime.messages('model').length, 0);
  },
);

test.serial('a run of the daemon goes on without Node-RED, which shows it when it is back', async (t) => {
  const { job, socket, start } = await site(t, 50_000);
  await start();
  const first = await startRuntime(t);
  await first.load(trainFlow({ job, socket }));
  await first.status('train', ({ text }) => text === 'ready');
  first.inject('train', { payload: 'start' });
  await first.status('train', ({ text }) => text!.startsWith('training step'));
  await first.stop();
  const second = await startRuntime(t);
  await second.load(trainFlow({ job, socket }));
  const { fill } = await second.status('train', ({ text }) => text!.startsWith('training step'));
  t.is(fill, 'green');
  second.inject('train', { payload: 'stop' });
  await second.status('train', ({ text }) => text!.startsWith('stopped'));
});

test.serial('wires, and an editor that is open to the network, are refused with the way out', async (t) => {
  const { job, socket, start } = await site(t, 20, { peers: [{ name: 'pi2', address: '127.0.0.1:1' }] });
  await start();
  const runtime = await startRuntime(t, { uiHost: '0.0.0.0' });
  const dataset = {
    id: 'wired',
    z: 'tab',
    type: 'mqtile-dataset',
    node: 'n1',
    job: 'job',
    x: 1,
    y: 1,
    wires: [[], []],
  };
  await runtime.load([...trainFlow({ job, socket }), dataset]);
  t.is((await runtime.status('train', () => true)).text, 'waiting for pi2');
  const wired = await runtime.until(() => runtime.messages('errors').find((one) => errorAt(one).source.id === 'wired'));
  t.is(errorAt(wired).code, 'attachedNode');
  t.true(errorAt(wired).message.includes('choose one that runs in Node-RED'));
  runtime.inject('train', { payload: 'start' });
  const open = await runtime.until(() => runtime.messages('errors').find((one) => errorAt(one).source.id === 'train'));
  t.is(errorAt(open).code, 'editorOpen');
});

test.serial('a socket that is no absolute path is refused', async (t) => {
  const { job } = await site(t, 20);
  const runtime = await startRuntime(t);
  await runtime.load(trainFlow({ job, socket: 'pi1.sock' }));
  runtime.inject('train', { payload: 'start' });
  const caught = await runtime.until(() =>
    runtime.messages('errors').find((one) => errorAt(one).source.id === 'train'),
  );
  t.is(errorAt(caught).code, 'keyInvalid');
  t.true(errorAt(caught).message.includes('Socket: got "pi1.sock", want the absolute path'));
});
