import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { freePorts, startRuntime } from '../support/node-red.ts';
import {
  caught,
  errorsOf,
  longJob,
  red,
  wiredFlow,
  type Message,
  type WiredFlowOptions,
} from '../support/wired-flow.ts';

/** A second dataset and all that follows it, for the same job and device. */
function twice(job: string): Partial<WiredFlowOptions> {
  return { more: [{ id: 'second', type: 'mqtile-loss', node: 'n1', job: 'job', wires: [[]] }], job };
}

test.serial('a flow that cannot train its job says so when it is deployed or started, with the way out', async (t) => {
  const job = await longJob(t);
  const without = (...ids: readonly string[]) => wiredFlow({ job, without: ids });
  const change = (id: string, fields: object) =>
    wiredFlow({ job }).map((node) => (node['id'] === id ? { ...node, ...fields } : node));
  const cases = [
    {
      what: 'a backward whose forward is gone',
      flow: without('forward2'),
      at: 'backward2',
      code: 'forwardMissing',
      says: 'choose one',
    },
    {
      what: 'a backward that names nothing',
      flow: change('backward1', { forward: '' }),
      at: 'backward1',
      code: 'forwardMissing',
      says: 'choose one',
    },
    {
      what: 'a stage that is missing',
      flow: without('forward3', 'backward3'),
      at: 'dataset',
      code: 'wiringIncomplete',
      says: 'no mqtile-forward of stage 3, no mqtile-backward of stage 3',
      start: true,
    },
    {
      what: 'no all-reduce',
      flow: without('reduce'),
      at: 'dataset',
      code: 'wiringIncomplete',
      says: 'no mqtile-all-reduce',
      start: true,
    },
    {
      what: 'a stage too many',
      flow: wiredFlow({ job, stages: 4 }),
      at: 'forward4',
      code: 'stageUnknown',
      says: 'the plan has 3 stages',
    },
    {
      what: 'no stage',
      flow: change('forward1', { stage: '' }),
      at: 'forward1',
      code: 'keyInvalid',
      says: 'choose one',
    },
    {
      what: 'a plan that changed',
      flow: change('forward2', { layers: '2-4' }),
      at: 'forward2',
      code: 'planChanged',
      says: 'layers 2-4 when the stage was chosen, 2-3 now',
    },
    {
      what: 'two nodes for one role',
      flow: wiredFlow({ job, ...twice(job) }),
      at: 'second',
      code: 'flowTwice',
      says: 'take the other one out',
    },
    {
      what: 'a node that is a daemon',
      flow: change('n1', { mode: 'attached', socket: '/nowhere/mqtile.sock' }),
      at: 'loss',
      code: 'attachedNode',
      says: 'runs in Node-RED',
    },
    {
      what: 'a grid for other devices',
      flow: change('job', { grid: '2x2' }),
      at: 'dataset',
      code: 'gridMismatch',
      says: '2x2',
      start: true,
    },
  ];
  const runtime = await startRuntime(t);
  await runtime.load(wiredFlow({ job }));
  for (const { what, flow, at, code, says, start = false } of cases) {
    const before = errorsOf(runtime).length;
    await runtime.deploy(flow);
    if (start) {
      await runtime.status('dataset', ({ text }) => text === 'ready');
      runtime.inject('dataset', { payload: 'start' });
    }
    const error = await runtime.until(() =>
      errorsOf(runtime)
        .slice(before)
        .find(({ source, code: got }) => source.id === at && got === code),
    );
    t.true(error.message.includes(says), `${what}: ${error.message}`);
    await red(runtime, at);
  }
});

test.serial(
  'messages that are wrong end the run with a red status, an error at the Catch node and one line for the others',
  async (t) => {
    const job = await longJob(t);
    const [first, second] = await freePorts(2);
    const peers = (name: string, port: number) => [{ name, address: `127.0.0.1:${port}` }];
    const other = [
      {
        id: 'n2',
        type: 'mqtile-node',
        node: 'node2',
        cluster: 'local',
        listen: `127.0.0.1:${second}`,
        insecure: false,
        peers: peers('node1', first!),
      },
      { id: 'elsewhere', type: 'mqtile-train', node: 'n2', job: 'job', wires: [[], []] },
    ];
    const node = { listen: `127.0.0.1:${first}`, peers: peers('node2', second!) };
    const late =
      'if (msg.mqtile.step === 5) { context.set("kept", msg.tensor); } if (msg.mqtile.step === 7) { msg.tensor = context.get("kept"); } return msg;';
    const bare = 'if (msg.mqtile.step === 3) { msg.tensor = [1, 2, 3]; } return msg;';
    const shape =
      'if (msg.mqtile.stage === undefined && msg.mqtile.step === 3) { node.send([null, msg]); return null; } return [msg, null];';
    const through = (id: string, func: string, wires: readonly (readonly string[])[]) => ({
      id,
      type: 'function',
      func,
      outputs: wires.length,
      libs: [],
      wires,
    });
    const cases = [
      {
        what: 'a tensor of another step',
        from: 'forward1',
        node: through('f', late, [['forward2']]),
        at: 'forward2',
        code: 'tensorExpired',
        says: 'tensor of step 5 expired',
      },
      {
        what: 'no tensor',
        from: 'forward1',
        node: through('f', bare, [['forward2']]),
        at: 'forward2',
        code: 'tensorMissing',
        says: 'want the tensor that the MQTile node before it sent',
      },
      {
        what: 'a tensor of another shape',
        from: 'dataset',
        node: through('f', shape, [['forward1'], ['forward2']]),
        at: 'forward2',
        code: 'foreignTensor',
        says: 'got a tensor of the input, want one of stage 1',
      },
      {
        what: 'a backward before the loss',
        from: 'forward1',
        node: through('f', 'return msg;', [['backward1']]),
        at: 'backward1',
        code: 'outOfOrder',
        says: 'want forward of stage 2',
      },
    ];
    const runtime = await startRuntime(t);
    const flow = (more: readonly Message[], wires: WiredFlowOptions['wires'] = []) =>
      wiredFlow({ job, grid: '1x2', node, wires, more: [...other, ...more] });
    await runtime.load(flow([]));
    for (const { what, from, node, at, code, says } of cases) {
      const before = errorsOf(runtime).length;
      await runtime.deploy(flow([node], [{ from, to: ['f'] }]));
      await runtime.status('dataset', ({ text }) => text === 'ready' || /^(failed|stopped)/.test(text ?? ''));
      runtime.inject('dataset', { payload: 'start' });
      const error = await caught(runtime, code, before);
      t.true(error.message.includes(says), `${what}: ${error.message}`);
      t.is(error.source.id, at, what);
      await red(runtime, at);
      await red(runtime, 'dataset');
      await red(runtime, 'elsewhere');
      await new Promise((resolve) => setTimeout(resolve, 200));
      const own = errorsOf(runtime).slice(before);
      t.deepEqual(
        own.map(({ source }) => source.id).toSorted(),
        [at, 'elsewhere'].toSorted(),
        `${what}: told once here, once elsewhere`,
      );
    }
  },
);

test.serial('a message without a run, and one of a run that has ended, harm nothing', async (t) => {
  const job = await longJob(t);
  const runtime = await startRuntime(t);
  await runtime.load(wiredFlow({ job }));
  await runtime.status('dataset', ({ text }) => text === 'ready');
  runtime.inject('forward1', { payload: 'hello' });
  t.regex((await caught(runtime, 'noRun')).message, /send start to the mqtile-dataset/);
  runtime.inject('dataset', { payload: 'start' });
  const step = await runtime.message('steps', 3);
  runtime.inject('dataset', { payload: 'stop' });
  await runtime.status('dataset', ({ text }) => text!.startsWith('stopped'));
  runtime.inject('forward1', step);
  runtime.inject('dataset', step);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.deepEqual(
    errorsOf(runtime).map(({ code }) => code),
    ['noRun'],
  );
});

test.serial('a job file that changes under a deployed flow is noticed at the next start', async (t) => {
  const job = await longJob(t);
  const runtime = await startRuntime(t);
  const flow = wiredFlow({ job }).map((node) =>
    node['type'] === 'mqtile-forward' ? { ...node, layers: ['0-1', '2-3', '4-7'][Number(node['stage'])] } : node,
  );
  await runtime.load(flow);
  await runtime.status('dataset', ({ text }) => text === 'ready');
  t.deepEqual(errorsOf(runtime), []);
  const text = await readFile(job, 'utf8');
  await writeFile(job, text.replace('model: lenet5', MODEL));
  runtime.inject('dataset', { payload: 'start' });
  const error = await caught(runtime, 'planChanged');
  t.regex(error.message, /open the node and choose its stage, or generate the flow anew/);
});

test.serial('a peer that does not come is named, with where it was looked for', async (t) => {
  const job = await longJob(t);
  const [own, other] = await freePorts(2);
  const node = { listen: `127.0.0.1:${own}`, peers: [{ name: 'pi4', address: `127.0.0.1:${other}` }] };
  const runtime = await startRuntime(t);
  await runtime.load(wiredFlow({ job, grid: '1x2', node }));
  await runtime.status('dataset', ({ text }) => text === 'waiting for pi4');
  runtime.inject('dataset', { payload: 'start' });
  const error = await caught(runtime, 'peerUnreachable');
  t.true(error.message.includes(`pi4 at 127.0.0.1:${other}`), error.message);
  await red(runtime, 'dataset');
});

test.serial('whatever comes on a wire, Node-RED goes on', async (t) => {
  const job = await longJob(t);
  const runtime = await startRuntime(t);
  const more = [
    { id: 'whole', type: 'mqtile-train', node: 'n1', job: 'job', wires: [[], []] },
    { id: 'predict', type: 'mqtile-predict', checkpoint: 'nowhere', wires: [[]] },
  ];
  await runtime.load(wiredFlow({ job, more }));
  await runtime.status('dataset', ({ text }) => text === 'ready');
  const endless: Message = {};
  endless['self'] = endless;
  const trap = {
    get [Symbol.toStringTag]() {
      return 'Tensor';
    },
    get run(): string {
      throw new Error('trap');
    },
  };
  const strange = [
    undefined,
    null,
    0,
    'go',
    [],
    {},
    endless,
    Symbol('s'),
    () => {},
    Buffer.alloc(3),
    new Proxy({}, {}),
  ];
  const messages: readonly Message[] = [
    {},
    ...strange.map((payload) => ({ payload })),
    ...strange.map((tensor) => ({ tensor })),
    ...strange.map((mqtile) => ({ mqtile })),
    { tensor: trap, mqtile: { phase: 'optimizer' } },
    { error: endless, payload: 'stop' },
  ];
  const receivers = ['dataset', 'forward1', 'loss', 'backward1', 'reduce', 'optimizer', 'whole', 'predict'];
  for (const running of [false, true]) {
    for (const message of messages) {
      for (const id of receivers) runtime.inject(id, { ...message });
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.true(errorsOf(runtime).length > messages.length);
    if (running) break;
    runtime.inject('dataset', { payload: 'start' });
    await runtime.until(() => (runtime.messages('steps').length > 2 ? true : undefined));
  }
  runtime.inject('dataset', { payload: 'stop' });
  await runtime.status('dataset', ({ text }) => !(text ?? '').startsWith('training'));
  const steps = runtime.messages('steps').length;
  runtime.inject('dataset', { payload: 'start' });
  await runtime.until(() => (runtime.messages('steps').length > steps ? true : undefined));
});

/** LeNet-5 without its second pooling: other stages. */
const MODEL = `model:
  input: [1, 28, 28]
  loss: softmaxCrossEntropy
  layers:
    - conv2d: {name: conv1, filters: 6, kernel: 5, padding: 2, activation: relu}
    - maxPool: {kernel: 2}
    - conv2d: {name: conv2, filters: 16, kernel: 5, activation: relu}
    - conv2d: {name: conv3, filters: 16, kernel: 3, activation: relu}
    - maxPool: {kernel: 2}
    - flatten: {}
    - dense: {name: fc1, units: 10}`;
