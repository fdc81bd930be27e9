import test from 'ava';
import { train } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { freePorts, startRuntime } from '../support/node-red.ts';
import { trainFlow } from '../support/train-flow.ts';

test.serial('pause holds a run on all nodes, start goes on, and the weights are those of mqtile train', async (t) => {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  const job = await writeJob(directory, digitsJob(digits, { steps: 60, epochs: undefined }));
  const runtime = await startRuntime(t);
  await runtime.load(trainFlow({ job, grid: '1x2', ports: await freePorts(2) }));
  await runtime.status('train', ({ text }) => text === 'ready');
  runtime.inject('train', { payload: 'pause' });
  runtime.inject('train', { payload: 'start' });
  await runtime.status('train', ({ text }) => text!.startsWith('training'));
  runtime.inject('train', { payload: 'pause' });
  const { fill } = await runtime.status('train', ({ text }) => /^paused at step \d+$/.test(text!));
  t.is(fill, 'yellow');
  await runtime.status('on-n2', ({ text }) => text === 'waiting for node1');
  t.is(runtime.messages('model').length, 0);
  runtime.inject('train', { payload: 'start' });
  const model = await runtime.message('model');
  const reference = await train(t, [job, '--local', '2', '--grid', '1x2']);
  t.is((model['payload'] as Record<string, unknown>)['weightsChecksum'], reference.weightsChecksum);
  t.deepEqual(runtime.messages('errors'), []);
});

test.serial('a node that trains shows whom it waits for, and no others, until they are there', async (t) => {
  const directory = await scratch(t);
  const job = await writeJob(directory, digitsJob(await someDigits(directory, 640, 64)));
  const ports = await freePorts(3);
  const runtime = await startRuntime(t);
  const all = trainFlow({ job, grid: '1x3', ports });
  await runtime.load(all.filter(({ id }) => id !== 'n3' && id !== 'on-n3'));
  await runtime.status('train', ({ text }) => text === 'waiting for node3');
  await runtime.status('on-n2', ({ text }) => text === 'waiting for node3');
  await runtime.deploy(all);
  await runtime.status('train', ({ text }) => text === 'ready');
  await runtime.status('on-n3', ({ text }) => text === 'ready');
  t.deepEqual(runtime.messages('errors'), []);
});
