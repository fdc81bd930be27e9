/** Contenders: those whose training steps are measured beside each other, each in a process of its own on the same cores. */

import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { measureRates } from '../../src/bench/rates.ts';
import { StepProcess } from '../../src/bench/step-process.ts';
import type { StepSetup } from '../../src/bench/step-setup.ts';
import { wantsRevectorization } from '../../src/kernels/revectorize.ts';
import type { KernelRates } from '../../src/tensor/rates.ts';
import { PYTHON } from '../support/pytorch.ts';
import { StepsScript } from '../support/steps-script.ts';

const scriptOf = (name: string): string => fileURLToPath(new URL(`../../bench/${name}`, import.meta.url));

/** What people install. From the sources Node.js would strip types first, which takes 45 MB. */
const COMPILED = new URL('../../dist/bench/step-child.js', import.meta.url);

/** Both count as PyTorch: the faster one is compared with. */
const LAYOUTS = ['contiguous', 'channels_last'] as const;

/** MQTile with as little memory as its plans can have. */
const SMALL = { stages: [0, 4, 8, 12], recompute: true, strips: 16 } as const;

const NARROW = { MQTILE_REVECTORIZE: '0' };

export type Family = 'mqtile' | 'torch' | 'tfjs';

export interface Turn {
  readonly ms: readonly number[];
  readonly memoryPeakBytes: number;
}

export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly family: Family;
  readonly threads: number;
  run(steps: number): Promise<Turn>;
}

export type Sized = StepSetup & { readonly size: number };

/** Rates of this machine for MQTile's own choice of kernels, with revectorization where there is one, and without. */
export interface Rates {
  readonly usual: KernelRates;
  readonly narrow: KernelRates;
}

export async function ratesHere(): Promise<Rates> {
  // Narrow first: once V8 has been told to revectorize, it does so in all builds of a process.
  const narrow = await measureRates(false);
  return { usual: await measureRates(), narrow };
}

/**
 * Starts all that can take a step of this setup, one after the other: MQTile's self-test at the start looks at the clock.
 * @param tfjs a folder from which `@tensorflow/tfjs` can be resolved
 */
export async function startContenders(setup: Sized, rates: Rates, tfjs?: string): Promise<readonly Contender[]> {
  const contenders = [await mqtile('mqtile', setup, rates.usual)];
  if (wantsRevectorization())
    contenders.push(await mqtile('mqtile without revectorization', setup, rates.narrow, NARROW));
  if (setup.model === 'yolov2-front')
    contenders.push(await mqtile('mqtile, recomputed in strips', { ...setup, ...SMALL }, rates.usual));
  for (const layout of LAYOUTS) contenders.push(await torch(setup, layout));
  if (tfjs !== undefined && setup.threads === 1) contenders.push(await tensorflow(setup, tfjs));
  return contenders;
}

async function mqtile(name: string, setup: StepSetup, rates: KernelRates, environment = {}): Promise<Contender> {
  const { threads } = setup;
  const subject = new StepProcess({ prefix: pinning(threads), file: COMPILED, environment });
  await subject.ask({ ask: 'open', setup, rates });
  return {
    name,
    family: 'mqtile',
    threads,
    run: async (count) => ({
      ms: (await subject.ask({ ask: 'steps', count })).map(({ ms }) => ms),
      memoryPeakBytes: await subject.ask({ ask: 'memory' }),
    }),
    [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose](),
  };
}

function torch({ threads, ...setup }: Sized, layout: string): Promise<Contender> {
  const args = [...argumentsOf(setup), '--threads', String(threads), '--layout', layout];
  const environment = { OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) };
  const script = new StepsScript([...pinning(threads), PYTHON, scriptOf('torch-step.py'), ...args], environment);
  return scripted(script, { name: `pytorch ${layout}`, family: 'torch', threads });
}

function tensorflow({ threads, ...setup }: Sized, folder: string): Promise<Contender> {
  const args = [...argumentsOf(setup), '--from', folder];
  const script = new StepsScript([...pinning(threads), process.execPath, scriptOf('tfjs-step.mjs'), ...args], {});
  return scripted(script, { name: 'tfjs-cpu', family: 'tfjs', threads });
}

type About = Pick<Contender, 'name' | 'family' | 'threads'>;

async function scripted(script: StepsScript, about: About): Promise<Contender> {
  // It answers once it has loaded and filled everything.
  await script.run(0);
  return { ...about, run: (steps) => script.run(steps), [Symbol.asyncDispose]: () => script[Symbol.asyncDispose]() };
}

function argumentsOf({ model, size, batch }: Omit<Sized, 'threads'>): readonly string[] {
  return ['--model', model, '--size', String(size), '--batch', String(batch)];
}

/** The last cores: the first one has most to do with everything else. */
function pinning(threads: number): readonly string[] {
  if (spawnSync('taskset', ['--version']).status !== 0) return [];
  const count = cpus().length;
  const first = Math.max(0, count - threads);
  return ['taskset', '-c', `${first}-${count - 1}`];
}
