/** Redeploys a wired flow again and again while it trains together with a daemon, and counts what its process holds. */

import { readdir, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { byHandFlow, checksum, errors, finishedModel, layOutSite, openByHand, shows } from './by-hand.ts';
import { Command } from './command.ts';
import { digitsJob, someDigits, writeJob } from './digits.ts';
import type { MemoryAnswer } from './probe.ts';
import type { RuntimeProcess } from './runtime-process.ts';

const PROBE = fileURLToPath(new URL('./probe.ts', import.meta.url));

/** Small batches: many steps, and many messages on the wires, in the time of a deploy. */
const BATCH = 16;

/** More steps than are made during one deploy, and some for the end. */
const STEPS = { perDeploy: 40, more: 100 };

/** Redeploys after which caches are filled. */
const WARM = 3;

/** What the process holds after so many redeploys. */
export interface Holding extends MemoryAnswer {
  readonly deploys: number;
  readonly threads: number;
  readonly sockets: number;
}

export interface RedeployOutcome {
  readonly holdings: readonly Holding[];
  /** Of the wired flow, and of `mqtile train` with the same job. */
  readonly weightsChecksum: string;
  readonly undisturbed: string;
  /** What reached the Catch node. */
  readonly errors: readonly unknown[];
}

export interface RedeployOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly deploys: number;
  readonly onHolding?: (holding: Holding) => void;
}

/** Trains a job by hand on one device and by daemon on another, with full deploys of the flow meanwhile; then once more with the command. */
export async function redeployWhileTraining(options: RedeployOptions): Promise<RedeployOutcome> {
  const { folder, deploys } = options;
  const digits = await someDigits(folder, 6000, 256);
  const steps = STEPS.perDeploy * deploys + STEPS.more;
  const content = digitsJob(digits, { steps, batch: BATCH, epochs: undefined, plan: { grid: '1x2' } });
  const job = await writeJob(folder, content);
  const site = await layOutSite(folder, job, 2);
  const flow = await byHandFlow(site, 0);
  const daemon = new Command(['node', '--config', site.configs[1]!]);
  try {
    await using runtime = await openByHand(site, 0, ['--expose-gc', '--import', PROBE]);
    await shows(runtime, /^ready$/);
    await runtime.inject('by-hand-start');
    await makesSteps(runtime);
    const holdings = await redeploys(runtime, flow, options);
    const ended = { holdings, weightsChecksum: await checksum(runtime), errors: errors(runtime) };
    return { ...ended, undisturbed: await trainUndisturbed(job) };
  } finally {
    daemon.child.kill('SIGTERM');
    await daemon.ended;
  }
}

async function redeploys(
  runtime: RuntimeProcess,
  flow: readonly object[],
  { deploys, onHolding }: RedeployOptions,
): Promise<readonly Holding[]> {
  const holdings: Holding[] = [];
  for (let done = 1; done <= deploys; done++) {
    await runtime.deploy(flow);
    await makesSteps(runtime);
    const holding = await look(runtime, done);
    holdings.push(holding);
    onHolding?.(holding);
  }
  if (finishedModel(runtime)) throw new Error('the job was over before the last deploy; it needs more steps');
  return holdings;
}

/** Waits until two steps have been made: the loss that is shown changes with each. */
async function makesSteps(runtime: RuntimeProcess): Promise<void> {
  const shown = () => runtime.statuses.get('by-hand-figures')?.text;
  for (let step = 0; step < 2; step++) {
    const before = shown();
    await runtime.until(() => (shown() === before ? undefined : shown()), 'a step');
  }
}

async function look(runtime: RuntimeProcess, deploys: number): Promise<Holding> {
  const { pid } = runtime;
  const answer = (await runtime.ask('memory')) as MemoryAnswer;
  const threads = (await readdir(`/proc/${pid}/task`)).length;
  const files = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  return { ...answer, deploys, threads, sockets: links.filter((link) => link.startsWith('socket:')).length };
}

async function trainUndisturbed(job: string): Promise<string> {
  const command = new Command(['train', job, '--local', '2', '--json']);
  const { code, stderr } = await command.ended;
  if (code !== 0) throw new Error(stderr);
  return command.events().at(-1)!['weightsChecksum'] as string;
}

/** What a redeploy adds once caches are filled; 0 where nothing stays. */
export interface Growth {
  readonly heapBytes: number;
  /** From the middle of the redeploys to their end, a deploy. */
  readonly heapBytesPerDeploy: number;
  readonly externalBytes: number;
  readonly threads: number;
  readonly sockets: number;
  /** Timers and the like. */
  readonly resources: number;
}

/** Pure. @param holdings at least one more than are needed to fill caches */
export function growthOf(holdings: readonly Holding[]): Growth {
  const warm = holdings[WARM - 1]!;
  const last = holdings.at(-1)!;
  const middle = holdings[Math.max(WARM - 1, holdings.length >> 1)]!;
  const count = ({ resources }: Holding) => Object.values(resources).reduce((sum, one) => sum + one, 0);
  return {
    heapBytes: last.heapBytes - warm.heapBytes,
    heapBytesPerDeploy: (last.heapBytes - middle.heapBytes) / Math.max(1, last.deploys - middle.deploys),
    externalBytes: last.externalBytes - warm.externalBytes,
    threads: last.threads - warm.threads,
    sockets: last.sockets - warm.sockets,
    resources: count(last) - count(warm),
  };
}
