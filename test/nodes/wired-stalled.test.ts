import test from 'ava';
import { startRuntime } from '../support/node-red.ts';
import { caught, errorsOf, longJob, red, wiredFlow } from '../support/wired-flow.ts';

test.serial(
  'a wire that is cut, and a message that is dropped, end as a stalled step that names its stage',
  async (t) => {
    const job = await longJob(t);
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

test.serial('a flow that is taken away while its run is paused ends the run after 30 s', async (t) => {
  const job = await longJob(t);
  const runtime = await startRuntime(t);
  const flow = wiredFlow({
    job,
    more: [{ id: 'whole', type: 'mqtile-train', node: 'n1', job: 'job', wires: [[], []] }],
  });
  await runtime.load(flow);
  await runtime.status('dataset', ({ text }) => text === 'ready');
  runtime.inject('dataset', { payload: 'step' });
  await runtime.message('steps');
  await runtime.status('whole', ({ text }) => (text ?? '').startsWith('paused'));
  const kept = ['tab', 'n1', 'job', 'whole', 'catch', 'errors'];
  await runtime.deploy(flow.filter(({ id }) => kept.includes(String(id))));
  const error = await caught(runtime, 'flowGone');
  t.regex(error.message, /deploy it again, and go on with resume/);
  t.is(error.source.id, 'whole');
});
