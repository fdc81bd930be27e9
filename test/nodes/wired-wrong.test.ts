import { readFile, writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { freePorts, startRuntime, type Runtime } from '../support/node-red.ts';
import { wiredFlow, type WiredFlowOptions } from '../support/wired-flow.ts';

type Message = Record<string, unknown>;

/** A job file of LeNet-5 on 6,000 digits that goes on for long. */
async function jobFile(t: ExecutionContext): Promise<string> {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  return writeJob(directory, digitsJob(digits, { steps: 50_000, epochs: undefined }));
}

interface Caught {
  readonly message: string;
  readonly code?: string;
  readonly source: { readonly id: string };
}

function errorsOf(runtime: Runtime): readonly Caught[] {
  return runtime.messages('errors').map((message) => message['error'] as Caught);
}

function caught(runtime: Runtime, code: string, after = 0): Promise<Caught> {
  return runtime.until(() =>
    errorsOf(runtime)
      .slice(after)
      .find((error) => error.code === code),
  );
}

function red(runtime: Runtime, id: string): Promise<unknown> {
  return runtime.status(id, ({ fill }) => fill === 'red');
}

/** A second dataset and all that follows it, for the same job and device. */
function twice(job: string): Partial<WiredFlowOptions> {
  return { more: [{ id: 'second', type: 'mqtile-loss', node: 'n1', job: 'job', wires: [[]] }], job };
}

test.serial('a flow that cannot train its job says so when it is deployed or started, with the way out', async (t) => {
  const job = await jobFile(t);
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
    const job = await jobFile(t);
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

test.serial(
  'a wire that is cut, and a message that is dropped, end as a stalled step that names its stage',
  async (t) => {
    const job = await jobFile(t);
    const runtime = await startRuntime(t);
    const drop = 'return msg.mqtile.step === 4 ? null : msg;';
    const dropped = { id: 'f', type: 'function', func: drop, outputs: 1, libs: [], wires: [['backward1']] };
    await runtime.load(wiredFlow({ job, wires: [{ from: 'backward2', to: ['f'] }], more: [dropped] }));
    await runtime.status('dataset', ({ text }) => text === 'ready');
    runtime.inject('dataset', { payload: 'start' });
    const first = await caught(runtime, 'stepStalled');
    t.regex(first.message, /step 4 stalled: nobody asked for backward of stage 1 for 30 s/);

    await runtime.deploy(wiredFlow({ job }));
    await runtime.status('dataset', ({ fill }) => fill === 'red');
    t.is(errorsOf(runtime).length, 1);
    const before = errorsOf(runtime).length;
    runtime.inject('dataset', { payload: 'start' });
    await runtime.until(() => (runtime.messages('steps').length > 20 ? true : undefined));
    await runtime.deploy(wiredFlow({ job, wires: [{ from: 'forward2', to: [] }] }));
    const second = await caught(runtime, 'stepStalled', before);
    t.regex(second.message, /nobody asked for forward of stage 3 for 30 s/);
    await red(runtime, 'dataset');
  },
);

test.serial('a message without a run, and one of a run that has ended, harm nothing', async (t) => {
  const job = await jobFile(t);
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
  const job = await jobFile(t);
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
