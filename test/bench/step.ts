/** npm run bench:step: training steps of MQTile and of PyTorch, in turns, on the same cores, as ratios. */

import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernelRates } from '../../src/bench/rates-cache.ts';
import { stamp } from '../../src/bench/stamp.ts';
import { sizedSetup, stepFlops, warmUp } from '../../src/bench/step.ts';
import { StepProcess } from '../../src/bench/step-process.ts';
import { medianOf } from '../../src/bench/step-profile.ts';
import type { StepSetup } from '../../src/bench/step-subject.ts';
import type { KernelMode } from '../../src/kernels/loader.ts';
import { StepsScript, whyNoPytorch } from '../support/pytorch.ts';

const HELP = `Usage: npm run --silent bench:step -- [options]

Training steps of MQTile and of PyTorch (Debian's python3-torch and libopenblas0), in turns, pinned to the same cores. Of PyTorch the faster of its
two layouts counts. A ratio above 1 says that MQTile takes less time.

  --model NAME    yolov2-front or lenet5   (default: yolov2-front at 224, 416 and 608, batch 1, and at 416, batch 4; lenet5, batch 64)
  --size N        rows and columns of the images (default 416)
  --batch N       images of a step (default 1)
  --mode MODE     MQTile's kernels: strict (default) or fast
  --threads N     threads of both (default 1); the last N cores are used
  --rounds N      turns (default 5)
  --save FILE     keep the rows as JSON, stamped with commit, CPU, Node and date
`;

const SCRIPT = fileURLToPath(new URL('../../bench/torch-step.py', import.meta.url));

/** What people install. From the sources Node.js would strip types first, which takes 45 MB. */
const COMPILED = new URL('../../dist/bench/step-child.js', import.meta.url);

const LAYOUTS = ['contiguous', 'channels_last'] as const;

/** A turn has as many steps as take MQTile about this long. */
const TURN_MS = 1500;

/** Both beside each other. Times are medians over the rounds of the medians of each round. */
interface ComparedRow extends StepSetup {
  readonly rounds: number;
  readonly stepsPerRound: number;
  readonly ms: number;
  readonly gflops: number;
  readonly memoryPeakBytes: number;
  readonly torchLayout: string;
  readonly torchMs: number;
  readonly torchGflops: number;
  readonly torchMemoryPeakBytes: number;
  /** PyTorch's time by MQTile's: median, least and largest of the rounds. */
  readonly ratio: number;
  readonly ratioLeast: number;
  readonly ratioLargest: number;
}

/** One of those who take turns. */
interface Runner {
  readonly name: string;
  run(steps: number): Promise<{ readonly ms: readonly number[]; readonly memoryPeakBytes: number }>;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const figures = { size: text, batch: text, threads: text, rounds: text } as const;
  const options = { model: text, mode: text, ...figures, save: text } as const;
  const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing = whyNoPytorch();
  if (missing !== undefined) {
    process.stdout.write(`nothing to compare with: ${missing}\n`);
    return 0;
  }
  process.stdout.write('tfjs is not compared: it is no dependency of MQTile and not installed\n');
  const threads = Number(values.threads ?? 1);
  const mode: KernelMode = values.mode === 'fast' ? 'fast' : 'strict';
  const { model, size = '416', batch = '1' } = values;
  const setups =
    model === undefined
      ? standardCases(threads, mode)
      : [{ model, size: Number(size), batch: Number(batch), threads, mode }];
  const rows: ComparedRow[] = [];
  for (const setup of setups) {
    const row = await compare(sizedSetup(setup), Number(values.rounds ?? 5));
    rows.push(row);
    process.stdout.write(`${JSON.stringify(row)}\n`);
  }
  if (values.save !== undefined) {
    await writeFile(values.save, `${JSON.stringify(stamp('step', rows), null, 2)}\n`);
  }
  return 0;
}

function standardCases(threads: number, mode: KernelMode): readonly StepSetup[] {
  const front = (size: number, batch: number) => ({ model: 'yolov2-front', size, batch, threads, mode });
  return [front(224, 1), front(416, 1), front(608, 1), front(416, 4), { model: 'lenet5', batch: 64, threads, mode }];
}

async function compare(setup: StepSetup & { readonly size: number }, rounds: number): Promise<ComparedRow> {
  const { model, size, batch, threads } = setup;
  const prefix = pinning(threads);
  await using subject = new StepProcess(prefix, COMPILED);
  const rates = setup.mode === 'fast' ? await kernelRates() : undefined;
  await subject.ask({ ask: 'open', setup, rates });
  const args = ['--model', model, '--size', String(size), '--batch', String(batch), '--threads', String(threads)];
  const script = (layout: string) => new StepsScript([SCRIPT, ...args, '--layout', layout], threads, prefix);
  await using contiguous = script(LAYOUTS[0]);
  await using channelsLast = script(LAYOUTS[1]);
  const ours: Runner = {
    name: 'mqtile',
    run: async (count) => ({
      ms: (await subject.ask({ ask: 'steps', count })).map(({ ms }) => ms),
      memoryPeakBytes: await subject.ask({ ask: 'memory' }),
    }),
  };
  const theirs = (name: string, steps: StepsScript): Runner => ({ name, run: (count) => steps.run(count) });
  const runners = [ours, theirs(LAYOUTS[0], contiguous), theirs(LAYOUTS[1], channelsLast)];
  const turns = await takeTurns(runners, rounds);
  const [mine, ...torch] = runners.map(({ name }) => turns.filter((turn) => turn.name === name));
  const [faster] = torch.toSorted((a, b) => median(a) - median(b));
  const ratios = mine!.map(({ ms }, round) => faster![round]!.ms / ms);
  const flops = stepFlops(setup);
  return {
    ...setup,
    rounds,
    stepsPerRound: mine![0]!.steps,
    ms: median(mine!),
    gflops: flops / median(mine!) / 1e6,
    memoryPeakBytes: mine!.at(-1)!.memoryPeakBytes,
    torchLayout: faster![0]!.name,
    torchMs: median(faster!),
    torchGflops: flops / median(faster!) / 1e6,
    torchMemoryPeakBytes: faster!.at(-1)!.memoryPeakBytes,
    ratio: medianOf(ratios),
    ratioLeast: Math.min(...ratios),
    ratioLargest: Math.max(...ratios),
  };
}

interface Turn {
  readonly name: string;
  readonly steps: number;
  /** Median of the turn's steps. */
  readonly ms: number;
  readonly memoryPeakBytes: number;
}

/** Everybody warms up, then runs the same number of steps in each round. */
async function takeTurns(runners: readonly Runner[], rounds: number): Promise<readonly Turn[]> {
  let slowestMs = 0;
  for (const { run } of runners) slowestMs = Math.max(slowestMs, await warmUp(async (count) => (await run(count)).ms));
  const steps = Math.max(2, Math.ceil(TURN_MS / slowestMs));
  const turns: Turn[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of runners) {
      const { ms, memoryPeakBytes } = await run(steps);
      turns.push({ name, steps, ms: medianOf(ms), memoryPeakBytes });
    }
  }
  return turns;
}

function median(turns: readonly Turn[]): number {
  return medianOf(turns.map(({ ms }) => ms));
}

/** The last cores: the first one has most to do with everything else. */
function pinning(threads: number): readonly string[] {
  if (spawnSync('taskset', ['--version']).status !== 0) {
    process.stdout.write('not pinned to cores: there is no taskset here\n');
    return [];
  }
  const count = cpus().length;
  const first = Math.max(0, count - threads);
  return ['taskset', '-c', `${first}-${count - 1}`];
}
