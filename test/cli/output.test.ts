import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { PlanDescription } from '../../src/session/describe-plan.ts';
import { VERSION } from '../../src/version.ts';
import { MAIN, runCommand, startCommand } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { parseXml } from '../support/xml.ts';

const run = promisify(execFile);

/** Colours begin with it. */
const ESCAPE = '\u001b';

test('train --json prints one JSON object a line and the result last, for a job in a folder whose name has spaces', async (t) => {
  const folder = join(await scratch(t), 'my digits', 'first job');
  await mkdir(folder, { recursive: true });
  await someDigits(folder, 640, 128);
  const names = { images: 'images', labels: 'labels', testImages: 'test-images', testLabels: 'test-labels' };
  const job = await writeJob(folder, digitsJob(names, { plan: { grid: '1x2' } }), 'Le Net.yaml');
  const elsewhere = await scratch(t);
  const command = startCommand(t, ['train', job, '--local', '2', '--json'], { cwd: elsewhere });
  const { code, stderr, stdout } = await command.ended;
  t.is(code, 0, stderr);
  t.true(stdout.endsWith('\n'));
  const kinds = command.events().map(({ event }) => event);
  t.deepEqual([...new Set(kinds)], ['cluster', 'accepted', 'step', 'epoch', 'result']);

  const result = command.events().at(-1)!;
  t.deepEqual(Object.keys(result).toSorted(), [
    'checkpoint',
    'curve',
    'event',
    'imagesPerSecond',
    'nodes',
    'seconds',
    'testAccuracy',
    'weightsChecksum',
  ]);
  t.is(result['checkpoint'], join(folder, 'run', 'step-000010.safetensors'));
  t.is(command.events().find(({ event }) => event === 'accepted')!['job'], 'le-net');
  for (const node of result['nodes'] as Record<string, unknown>[]) {
    const { node: name, tile, ...figures } = node;
    t.regex(`${String(name)} ${String(tile)}`, /^node[12] n\S+ c\S+ y\S+ x\S+$/);
    t.deepEqual(Object.keys(figures).toSorted(), [
      'bytesReceived',
      'bytesSent',
      'computeMs',
      'memoryGrowthBytes',
      'memoryPeakBytes',
      'memoryPredictedBytes',
      'waitMs',
    ]);
    for (const [key, value] of Object.entries(figures)) t.true(Number(value) > 0, `${key} is ${String(value)}`);
  }
  await t.throwsAsync(
    stat(join(elsewhere, 'run')),
    undefined,
    'nothing goes to the folder that the command was started in',
  );
});

test('train speaks of accuracy only where the loss has classes', async (t) => {
  const folder = await scratch(t);
  const digits = await someDigits(folder, 320, 64);
  const layers = [{ conv2d: { name: 'conv1', filters: 4, kernel: 3, activation: 'relu' } }];
  const model = { input: [1, 28, 28], loss: 'meanSquares', layers };
  const job = await writeJob(folder, digitsJob(digits, { model, plan: { grid: '1x1' } }));
  const command = startCommand(t, ['train', job, '--local', '1', '--json'], { cwd: folder });
  const { code, stderr } = await command.ended;
  t.is(code, 0, stderr);
  const [epoch, result] = ['epoch', 'result'].map((kind) => command.events().find(({ event }) => event === kind)!);
  t.is(typeof epoch!['testLoss'], 'number');
  t.is(result!['testAccuracy'], null);
  const others = command.events().filter(({ event }) => event !== 'result');
  t.notRegex(JSON.stringify(others), /accuracy/iu);
  t.notRegex(stderr + (await readFile(join(folder, 'run', 'curve.svg'), 'utf8')), /accuracy/iu);
});

test('train for people ends with a table, the accuracy and where things lie, and colours only where they are wanted', async (t) => {
  const folder = await scratch(t);
  const job = await writeJob(folder, digitsJob(await someDigits(folder, 320, 64), { plan: { grid: '1x2' } }));
  const plain = await runCommand(t, ['train', job, '--local', '2'], { cwd: folder, env: { NO_COLOR: '1' } });
  t.is(plain.code, 0, plain.stderr);
  t.false((plain.stdout + plain.stderr).includes(ESCAPE));
  t.regex(plain.stdout, /node1 .*\n +node2 /);
  t.regex(plain.stdout, /test accuracy \d+\.\d\d %/);
  t.regex(plain.stdout, /checkpoint run\/step-000005\.safetensors/);
  t.regex(plain.stdout, /training curve run\/curve\.svg/);
  t.regex(plain.stderr, /watch it from another terminal: mosquitto_sub -v -p \d+ -t 'mqtile\/#'/);
  parseXml(await readFile(join(folder, 'run', 'curve.svg'), 'utf8'));

  const colourful = await runCommand(t, ['plan', job], { cwd: folder, env: { FORCE_COLOR: '1' } });
  t.true(colourful.stdout.includes(`${ESCAPE}[1m`));
  t.false((await runCommand(t, ['plan', job], { cwd: folder })).stdout.includes(ESCAPE));
});

test('plan shows the front of YOLOv2 on random data, at the size of images that the job says', async (t) => {
  const data = { kind: 'random', size: [96, 64] };
  const job = await writeJob(
    await scratch(t),
    digitsJob({ images: '', labels: '', testImages: '', testLabels: '' }, { model: 'yolov2-front', data, batch: 1 }),
  );
  const { code, stdout, stderr } = await runCommand(t, ['plan', job, '--grid', '1x1', '--json']);
  t.is(code, 0, stderr);
  const plan = JSON.parse(stdout) as { model: string; stages: { layers: number[]; owned: unknown }[] };
  t.is(plan.model, 'yolov2-front');
  t.deepEqual(
    plan.stages.map(({ layers }) => layers),
    [
      [0, 2],
      [2, 4],
      [4, 8],
      [8, 12],
      [12, 16],
    ],
  );
  t.deepEqual(plan.stages.at(-1)!.owned, {
    node1: [
      [0, 1],
      [0, 256],
      [0, 6],
      [0, 4],
    ],
  });
});

test('plan says which stages are recomputed, in how many strips, and what memory that takes', async (t) => {
  const folder = await scratch(t);
  const data = await someDigits(folder, 64, 64);
  const plain = await writeJob(folder, digitsJob(data, { plan: { grid: '2x2' } }));
  const bytes = async (args: readonly string[]) => {
    const { stdout } = await runCommand(t, ['plan', ...args, '--json']);
    const plan = JSON.parse(stdout) as PlanDescription;
    return { stages: plan.stages, node1: plan.predictedMemoryBytes['node1']! };
  };
  const whole = await bytes([plain]);
  const walked = await writeJob(folder, digitsJob(data, { plan: { grid: '2x2', recompute: true, strips: 4 } }));
  const { stages, node1 } = await bytes([walked]);
  t.deepEqual(
    stages.map(({ recompute, strips }) => [recompute, strips]),
    [
      [true, 4],
      [true, 2],
      [undefined, undefined],
    ],
  );
  t.true(node1 < whole.node1);
  const [first] = (await bytes([walked, '--grid', '1x2'])).stages;
  t.deepEqual([first!.grid, first!.strips], ['1x2', 4], 'another grid is walked in the same way');
  const { stdout } = await runCommand(t, ['plan', walked]);
  t.regex(stdout, /stage +layers +partition +recomputed +strips/);
  t.regex(stdout, /1 +0-1 +tiles 2x2 +yes +4 /);
});

test('plan --json has the documented keys, and --svg draws well-formed XML', async (t) => {
  const folder = await scratch(t);
  const job = await writeJob(folder, digitsJob(await someDigits(folder, 64, 64), { plan: { grid: '2x3' } }));
  const svg = join(folder, 'plan.svg');
  const { code, stdout, stderr } = await runCommand(t, ['plan', job, '--json', '--svg', svg]);
  t.is(code, 0, stderr);
  t.is(stdout.split('\n').length, 2);
  const plan = JSON.parse(stdout) as Record<string, unknown> & { stages: Record<string, unknown>[] };
  t.is(plan['event'], 'plan');
  t.deepEqual(Object.keys(plan['predictedMemoryBytes'] as object), [
    'node1',
    'node2',
    'node3',
    'node4',
    'node5',
    'node6',
  ]);
  t.true(Number(plan['bytesPerStep']) > 0);
  for (const stage of plan.stages) {
    for (const key of ['layers', 'partition', 'owned', 'needed']) t.true(key in stage, `a stage has ${key}`);
    for (const box of Object.values(stage['owned'] as Record<string, number[][]>)) t.is(box.length, 4);
  }
  t.is(plan.stages[0]!['grid'], '2x3');
  t.is(parseXml(await readFile(svg, 'utf8')), 'svg');
});

test('--help of every command shows how it is used and an example; --version is a version', async (t) => {
  for (const args of [
    ['--help'],
    ['train', '--help'],
    ['plan', '--help'],
    ['predict', '--help'],
    ['node', '-h'],
    ['bench', '--help'],
  ]) {
    const { code, stdout, stderr } = await runCommand(t, args);
    t.is(code, 0);
    t.is(stderr, '');
    t.regex(stdout, /^(mqtile .*\n\n)?Usage: mqtile /);
    t.regex(stdout, /\nExample: mqtile \S+/);
  }
  const version = await runCommand(t, ['--version']);
  t.is(version.stdout, `${VERSION}\n`);
  t.is((await runCommand(t, [])).code, 2);
});

test('a Node that is too old gets one line and exit code 2', async (t) => {
  const old = await oldNode();
  if (old === undefined) {
    t.log('skipped: this machine has no Node below 24 beside the pinned one');
    t.pass();
    return;
  }
  // An old Node does not run .ts files; this one holds nothing that only TypeScript has.
  const main = join(await scratch(t), 'main.mjs');
  await copyFile(MAIN, main);
  const failure = await t.throwsAsync<Error & { code: number; stdout: string; stderr: string }>(
    run(old, [main, 'plan']),
  );
  t.is(failure.code, 2);
  t.is(failure.stdout, '');
  t.regex(failure.stderr, /^mqtile: got Node \d+\.\d+\.\d+, want 24 or later; .*\n$/);
});

/** A Node below 24 on the search path, if there is one. */
async function oldNode(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, 'node');
    const version = await run(candidate, ['--version']).catch(() => undefined);
    if (version && Number(/^v(\d+)/.exec(version.stdout)?.[1]) < 24) return candidate;
  }
  return undefined;
}

test('a new run says that it replaces the checkpoints of an earlier one, and a resumed one does not', async (t) => {
  const folder = await scratch(t);
  const content = digitsJob(await someDigits(folder, 128, 64), { plan: { grid: '1x1' }, steps: 1, epochs: undefined });
  const job = await writeJob(folder, content);
  const first = await runCommand(t, ['train', job, '--local', '1'], { cwd: folder });
  t.notRegex(first.stderr, /replacing/);
  const second = await runCommand(t, ['train', job, '--local', '1'], { cwd: folder });
  t.regex(second.stderr, /^replacing the checkpoints of an earlier run in run$/m);
  const resumed = await runCommand(t, ['train', job, '--local', '1', '--resume', '--steps', '2'], { cwd: folder });
  t.notRegex(resumed.stderr, /replacing/);
  t.is(resumed.code, 0, resumed.stderr);
});
