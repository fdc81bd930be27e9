/** npm run bench:node-red: what wires cost. The same job by `mqtile train` and by hand in Node-RED, in turns, and how long Node-RED's event loop is held up. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connectAsync } from 'mqtt';
import { stamp } from '../../src/bench/stamp.ts';
import { parseNodeConfig, type Member } from '../../src/index.ts';
import { checksum, layOutSite, openByHand, shows, type Item, type Site } from '../support/by-hand.ts';
import { Command } from '../support/command.ts';
import { ALL_DIGITS, digitsJob, writeJob } from '../support/digits.ts';
import type { DelayAnswer } from '../support/probe.ts';
import { pause } from '../support/processes.ts';
import type { RuntimeProcess } from '../support/runtime-process.ts';

const HELP = `Usage: npm run --silent bench:node-red -- [--rounds N] [--save FILE]

  --rounds N    how often each is measured, in turns (default 5); the median counts
  --save FILE   keep the rows as JSON, stamped with commit, CPU, Node and date
`;

/** Steps of LeNet-5 with batches of 64, and one evaluation on all test images at the end of the job. */
const STEPS = 300;

const IDLE_MS = 5000;

const CASES = [
  { devices: 1, grid: '1x1' },
  { devices: 4, grid: '2x2' },
] as const;

const PROBE = fileURLToPath(new URL('../support/probe.ts', import.meta.url));

/** ms a step by the command and by wires, medians of the same run. */
interface StepRow {
  readonly measure: 'step';
  readonly devices: number;
  readonly grid: string;
  readonly commandMs: number;
  readonly wiredMs: number;
  readonly moreMs: number;
  readonly ratio: number;
}

/** Delay of the event loop of one Node-RED, with one kernel thread. */
interface DelayRow extends DelayAnswer {
  readonly measure: 'eventLoopDelay';
  readonly during: string;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const options = {
    rounds: { type: 'string', default: '5' },
    save: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ options });
  const rounds = Number(values.rounds);
  if (values.help || !Number.isInteger(rounds) || rounds < 1) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const rows: (StepRow | DelayRow)[] = [];
  for (const one of CASES) rows.push(await inFolder((folder) => compare(folder, one, rounds)));
  rows.push(...(await inFolder(delays)));
  if (values.save !== undefined) {
    await writeFile(values.save, `${JSON.stringify(stamp('node-red', rows), null, 2)}\n`);
  }
  return 0;
}

async function inFolder<Value>(use: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtile-bench-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(folder: string, { devices, grid }: (typeof CASES)[number], rounds: number): Promise<StepRow> {
  const job = await jobFile(folder, grid);
  const command: number[] = [];
  const wired: number[] = [];
  for (let round = 0; round < rounds; round++) {
    command.push(await byCommand(job, devices));
    const place = join(folder, `round-${round}`);
    await mkdir(place);
    wired.push(await byWires(await layOutSite(place, job, devices)));
  }
  const [commandMs, wiredMs] = [median(command), median(wired)];
  const row: StepRow = {
    measure: 'step',
    devices,
    grid,
    commandMs,
    wiredMs,
    moreMs: wiredMs - commandMs,
    ratio: wiredMs / commandMs,
  };
  say(
    `${grid}: mqtile train ${commandMs.toFixed(2)} ms a step, by hand ${wiredMs.toFixed(2)} ms: ${row.moreMs.toFixed(2)} ms more, ratio ${row.ratio.toFixed(3)}`,
  );
  return row;
}

function jobFile(folder: string, grid: string): Promise<string> {
  return writeJob(folder, digitsJob(ALL_DIGITS, { steps: STEPS, epochs: undefined, plan: { grid } }));
}

/** @returns ms a step */
async function byCommand(job: string, devices: number): Promise<number> {
  const command = new Command(['train', job, '--local', String(devices), '--json']);
  const { code, stderr } = await command.ended;
  if (code !== 0) throw new Error(stderr);
  return (1000 * (command.events().at(-1)!['seconds'] as number)) / STEPS;
}

/** Opens a Node-RED for each device and presses start at the first. @returns ms a step */
async function byWires(site: Site): Promise<number> {
  const runtimes = await Promise.all(site.names.map((_, rank) => openByHand(site, rank)));
  try {
    await Promise.all(runtimes.map((runtime) => shows(runtime, /^ready$/)));
    await runtimes[0]!.inject('by-hand-start');
    await Promise.all(runtimes.map((runtime) => checksum(runtime)));
    return (1000 * (await secondsOf(site))) / STEPS;
  } finally {
    await Promise.all(runtimes.map((runtime) => runtime.close()));
  }
}

/** What the first member says of its part: the same clock as the command's. */
async function secondsOf({ configs, job }: Site): Promise<number> {
  const { listen, cluster, name } = parseNodeConfig(await readFile(configs[0]!, 'utf8'), configs[0]!);
  const client = await connectAsync(`mqtt://${listen.host}:${listen.port}`, { protocolVersion: 4 });
  try {
    const said = new Promise<Member>((resolve) => {
      client.on('message', (_, payload) => resolve(JSON.parse(payload.toString()) as Member));
    });
    await client.subscribeAsync(`mqtile/${cluster}/job/job/member/${name}`, { qos: 1 });
    const { result } = await said;
    if (!result) throw new Error(`${job}: ${name} has no result`);
    return result.seconds;
  } finally {
    await client.endAsync(true);
  }
}

/** One Node-RED with one kernel thread: doing nothing, training by `mqtile-train`, and training by hand. */
async function delays(folder: string): Promise<readonly DelayRow[]> {
  const site = await layOutSite(folder, await jobFile(folder, '1x1'), 1);
  await using runtime = await openByHand(site, 0, ['--import', PROBE], withTrainer);
  const rows: DelayRow[] = [];
  const measure = async (during: string, run: () => Promise<unknown>) => {
    await runtime.ask('delay');
    await run();
    const answer = (await runtime.ask('delay')) as DelayAnswer;
    rows.push({ measure: 'eventLoopDelay', during, ...answer });
    const { p50Ms, p99Ms, maxMs } = answer;
    say(
      `${during}: event loop late by ${p50Ms.toFixed(1)} ms p50, ${p99Ms.toFixed(1)} ms p99, ${maxMs.toFixed(1)} ms max`,
    );
  };
  await shows(runtime, /^ready$/);
  await measure('nothing', () => pause(IDLE_MS));
  await measure('training by mqtile-train', () => trained(runtime, 'by-hand-trainer-start', 'by-hand-trainer'));
  await measure('training by hand', () => trained(runtime, 'by-hand-start', 'by-hand-dataset'));
  return rows;
}

/** Presses a button and waits until the node that trains is done. */
async function trained(runtime: RuntimeProcess, button: string, node: string): Promise<void> {
  await runtime.inject(button);
  await runtime.status(node, ({ text = '' }) => text.startsWith('training'));
  await runtime.status(node, ({ text = '' }) => text.startsWith('done'));
}

/** The by-hand flow, and on the same tab an mqtile-train of the same job. */
function withTrainer(flow: readonly Item[]): readonly Item[] {
  const start = flow.find(({ id }) => id === 'by-hand-start');
  return [
    ...flow,
    { ...start, id: 'by-hand-trainer-start', y: 1000, wires: [['by-hand-trainer']] },
    {
      id: 'by-hand-trainer',
      type: 'mqtile-train',
      z: 'by-hand-tab',
      name: '',
      node: 'by-hand-node',
      job: 'by-hand-job',
      x: 400,
      y: 1000,
      wires: [[], []],
    },
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
