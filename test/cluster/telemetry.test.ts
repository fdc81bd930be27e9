import { spawn, spawnSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import type { LocalNode } from '../../src/local.ts';
import { startCommand } from '../support/command.ts';
import { ALL_DIGITS, digitsJob, scratch, writeJob } from '../support/digits.ts';

const NODES = ['node1', 'node2', 'node3', 'node4'];

/** One line of `mosquitto_sub -F '%U %r %t %p'`. */
interface Heard {
  readonly at: number;
  readonly retained: boolean;
  readonly topic: string;
  readonly payload: string;
}

/** Listens with the program that people use, until the broker goes. */
function mosquitto(t: ExecutionContext, port: number, filter: string): { heard: () => readonly Heard[] } {
  const child = spawn('mosquitto_sub', ['-h', '127.0.0.1', '-p', String(port), '-t', filter, '-F', '%U %r %t %p']);
  const ended = new Promise((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  const heard = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [, at, retain, topic, payload] = /^(\S+) ([01]) (\S+) ?(.*)$/s.exec(line) ?? [];
        return { at: Number(at), retained: retain === '1', topic: topic!, payload: payload! };
      });
  return { heard };
}

test.serial(
  'mosquitto_sub at any broker hears every node, at most once a second of each kind, and no tensor',
  async (t) => {
    if (spawnSync('mosquitto_sub', ['--help']).error) {
      t.log('skipped: mosquitto_sub is not installed (Debian: mosquitto-clients)');
      t.pass();
      return;
    }
    const directory = await scratch(t);
    const digits = { kind: 'idx', ...ALL_DIGITS };
    const checkpoint = { everySteps: 1000, directory: 'run' };
    const job = await writeJob(
      directory,
      digitsJob(ALL_DIGITS, { data: digits, steps: 150, epochs: undefined, checkpoint }),
    );
    const command = startCommand(t, ['train', job, '--local', '4', '--json']);
    const nodes = (await command.event('cluster'))['nodes'] as readonly LocalNode[];
    const listeners = nodes.map(({ port }) => mosquitto(t, port, 'mqtile/#'));
    const greedy = [mosquitto(t, nodes[0]!.port, '#'), mosquitto(t, nodes[0]!.port, 'mqtile-tensor/#')];
    const { code, stderr } = await command.ended;
    t.is(code, 0, stderr);

    for (const [k, { heard }] of listeners.entries()) {
      const topics = new Set(heard().map(({ topic }) => topic));
      const wanted = NODES.flatMap((node) => [
        `mqtile/local/node/${node}/state`,
        `mqtile/local/node/${node}/info`,
        `mqtile/local/job/job/member/${node}`,
        ...['step', 'epoch', 'memory', 'network'].map((kind) => `mqtile/local/job/job/telemetry/${node}/${kind}`),
      ]);
      const missing = [...wanted, 'mqtile/local/job/job/spec', 'mqtile/local/job/job/plan'].filter(
        (topic) => !topics.has(topic),
      );
      t.deepEqual(missing, [], `at the broker of node${k + 1}`);
      for (const { payload } of heard()) t.notThrows(() => void JSON.parse(payload));
      for (const topic of wanted.filter((one) => one.includes('/telemetry/'))) {
        const times = heard()
          .filter((one) => one.topic === topic && !one.retained)
          .map(({ at }) => at);
        // The last one comes with the end, whenever that is.
        const seconds = times.at(-1)! - times[0]!;
        t.true(times.length <= Math.floor(seconds) + 3, `${topic}: ${times.length} messages in ${seconds} s`);
      }
    }
    for (const { heard } of greedy) {
      t.deepEqual(
        heard().filter(({ topic }) => !topic.startsWith('mqtile/')),
        [],
      );
    }
  },
);

test.serial('a job of nearly 64 KiB arrives whole; a longer one is refused with one line', async (t) => {
  const directory = await scratch(t);
  const layer = (k: number) => ({ dense: { name: `fc${k}`, units: 10, activation: 'relu' } });
  const long = (count: number) => ({
    ...digitsJob(ALL_DIGITS, { steps: 1, epochs: undefined, plan: { grid: '1x2' } }),
    data: { kind: 'idx', images: ALL_DIGITS.testImages, labels: ALL_DIGITS.testLabels },
    model: {
      input: [1, 28, 28],
      loss: 'softmaxCrossEntropy',
      layers: [{ maxPool: { kernel: 2 } }, { flatten: {} }, ...Array.from({ length: count }, (_, k) => layer(k))],
    },
  });
  const fits = await writeJob(directory, `# ${'long '.repeat(11_000)}\n${JSON.stringify(long(60))}`);
  const whole = startCommand(t, ['train', fits, '--local', '2', '--json']);
  t.is((await whole.ended).code, 0, whole.stderr);
  const tooLong = await writeJob(directory, `# ${'long '.repeat(14_000)}\n${JSON.stringify(long(60))}`, 'long.yaml');
  const refused = startCommand(t, ['train', tooLong, '--local', '2', '--json']);
  const { code, stderr } = await refused.ended;
  t.is(code, 2, stderr);
  t.regex(stderr, /^mqtile: .*long\.yaml: is \d+ bytes long.*want at most/m);
});
