import test, { type ExecutionContext } from 'ava';
import { train } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { startRuntime, type Runtime } from '../support/node-red.ts';
import { wiredFlow } from '../support/wired-flow.ts';

const STEPS = 20;

/** A job file of LeNet-5 on 6,000 digits. */
async function jobFile(t: ExecutionContext, steps = STEPS): Promise<string> {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  return writeJob(directory, digitsJob(digits, { steps, epochs: undefined }));
}

function ready(runtime: Runtime): Promise<unknown> {
  return runtime.status('dataset', ({ text }) => text === 'ready');
}

type Message = Record<string, unknown>;

function payloadOf(message: Message): Message {
  return message['payload'] as Message;
}

function stepsOf(runtime: Runtime): readonly number[] {
  return runtime.messages('steps').map((message) => (message['mqtile'] as { step: number }).step);
}

function counted(steps: number): readonly number[] {
  return Array.from({ length: steps }, (_, k) => k + 1);
}

/** The message of the dataset's second output that has the finished model. */
function finished(runtime: Runtime): Promise<Message> {
  return runtime.until(() => runtime.messages('epoch').find((message) => 'weightsChecksum' in payloadOf(message)));
}

async function trained(t: ExecutionContext, runtime: Runtime, job: string): Promise<void> {
  const model = await finished(runtime);
  const reference = await train(t, [job, '--local', '1', '--grid', '1x1']);
  t.is(payloadOf(model)['weightsChecksum'], reference.weightsChecksum);
  t.deepEqual(runtime.messages('errors'), []);
}

test.serial('a flow that is wired by hand trains to the weights of mqtile train', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  await runtime.load(wiredFlow({ job }));
  await ready(runtime);
  runtime.inject('dataset', { payload: 'start', asked: 'by hand' });
  await trained(t, runtime, job);
  t.deepEqual(stepsOf(runtime), counted(STEPS));
  const steps = runtime.messages('steps');
  t.true(steps.every((message) => Number.isFinite(payloadOf(message)['loss'])));
  t.is(steps.at(-1)!['asked'], 'by hand', 'other properties pass through all wires');
  const epochs = runtime.messages('epoch').filter((message) => 'testAccuracy' in payloadOf(message));
  t.true(epochs.length > 0);
});

test.serial('all-reduce may stand behind every backward, and messages may take a second way', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  const wires = [
    { from: 'forward1', to: ['forward2', 'seen'] },
    { from: 'backward3', to: ['reduce', 'backward2'] },
    { from: 'backward2', to: ['backward1', 'reduce'] },
  ];
  await runtime.load(wiredFlow({ job, wires, more: [{ id: 'seen', type: 'helper' }] }));
  await ready(runtime);
  runtime.inject('dataset', { payload: 'start' });
  await trained(t, runtime, job);
  t.deepEqual(stepsOf(runtime), counted(STEPS));
  const { tensor, mqtile, payload } = runtime.messages('seen').at(-1) as {
    tensor: { read(): Float32Array; step: number };
    mqtile: object;
    payload: { gflops: number };
  };
  t.is(Object.prototype.toString.call(tensor), '[object Tensor]', 'the same handle on every wire, not a copy');
  t.throws(() => tensor.read(), { message: /tensor of step 20 expired/ });
  t.like(mqtile, { epoch: 0, step: STEPS, stage: 1, phase: 'forward', device: 'node1' });
  t.true(payload.gflops > 0);
});

test.serial('tensors can be read by nodes on the way, and are the values of the step', async (t) => {
  const job = await jobFile(t, 3);
  const runtime = await startRuntime(t);
  const look = 'msg.values = Array.from(msg.tensor.read().slice(0, 10)); return msg;';
  const wires = [{ from: 'forward3', to: ['look'] }];
  const more = [
    { id: 'look', type: 'function', func: look, outputs: 1, libs: [], wires: [['loss', 'logits']] },
    { id: 'logits', type: 'helper' },
  ];
  await runtime.load(wiredFlow({ job, wires, more }));
  await ready(runtime);
  runtime.inject('dataset', { payload: 'start' });
  await trained(t, runtime, job);
  const values = runtime.messages('logits').map((message) => message['values'] as readonly number[]);
  t.is(values.length, 3);
  t.true(values.flat().every(Number.isFinite));
  t.is(new Set(values.map((row) => row.join(' '))).size, 3);
});

test.serial('full deploys in the middle of steps change nothing of the result, and leave nothing behind', async (t) => {
  const job = await jobFile(t, 300);
  const runtime = await startRuntime(t);
  const flow = wiredFlow({ job });
  await runtime.load(flow);
  await ready(runtime);
  runtime.inject('dataset', { payload: 'start' });
  for (let deploy = 1; deploy <= 10; deploy++) {
    await runtime.until(() => (stepsOf(runtime).length >= deploy * 10 ? true : undefined));
    await runtime.deploy(flow);
  }
  t.true(stepsOf(runtime).length < 300, 'the deploys came too late to disturb anything');
  await trained(t, runtime, job);
  const steps = stepsOf(runtime);
  t.deepEqual([...new Set(steps)], [...steps], 'no step was told twice');
});

test.serial('a deploy of one node in the middle of a step goes on too', async (t) => {
  const job = await jobFile(t, 100);
  const runtime = await startRuntime(t);
  const flow = wiredFlow({ job });
  await runtime.load(flow);
  await ready(runtime);
  runtime.inject('dataset', { payload: 'start' });
  for (const [index, id] of ['forward2', 'backward3', 'reduce', 'optimizer', 'dataset', 'loss'].entries()) {
    await runtime.until(() => (stepsOf(runtime).length >= 10 * (index + 1) ? true : undefined));
    await runtime.deploy(
      flow.map((node) => (node['id'] === id ? { ...node, name: 'changed' } : node)),
      'nodes',
    );
  }
  await trained(t, runtime, job);
});

test.serial('pause lets the open step end, step makes one more, and start goes on', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  await runtime.load(wiredFlow({ job }));
  await ready(runtime);
  runtime.inject('dataset', { payload: 'step' });
  await runtime.status('dataset', ({ text }) => (text ?? '').startsWith('paused'));
  await runtime.until(() => (stepsOf(runtime).length === 1 ? true : undefined));
  for (let steps = 2; steps <= 4; steps++) {
    runtime.inject('dataset', { payload: 'step' });
    await runtime.until(() => (stepsOf(runtime).length === steps ? true : undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.deepEqual(stepsOf(runtime), counted(steps));
  }
  runtime.inject('dataset', { payload: 'start' });
  await trained(t, runtime, job);
  t.deepEqual(stepsOf(runtime), counted(STEPS));
});

test.serial('a job that mqtile-train starts is left to the trainer, wires or not', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  const more = [
    { id: 'whole', type: 'mqtile-train', node: 'n1', job: 'job', wires: [[], ['model']] },
    { id: 'model', type: 'helper' },
  ];
  await runtime.load(wiredFlow({ job, more, without: ['backward2'] }));
  await ready(runtime);
  runtime.inject('whole', { payload: 'start' });
  const model = await runtime.message('model');
  t.is(stepsOf(runtime).length, 0);
  t.truthy(payloadOf(model)['weightsChecksum']);
  t.deepEqual(runtime.messages('errors'), []);
});

test.serial('a dataset that is asked while a step is open ignores it', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  const wires = [{ from: 'forward1', to: ['forward2', 'again'] }];
  const again = {
    id: 'again',
    type: 'function',
    func: 'msg.mqtile.phase = "optimizer"; return msg;',
    outputs: 1,
    libs: [],
  };
  await runtime.load(wiredFlow({ job, wires, more: [{ ...again, wires: [['dataset']] }] }));
  await ready(runtime);
  runtime.inject('dataset', { payload: 'start' });
  await trained(t, runtime, job);
  t.deepEqual(stepsOf(runtime), counted(STEPS));
});
