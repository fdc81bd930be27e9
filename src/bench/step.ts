/**
 * Benchmark of a training step: forward, loss, backward and update on one device, with no cluster around it, in a process of its own, against what this
 * processor can do with f32x4 multiplications and additions in registers, measured in the same run.
 */

import { zooModel } from '../model/zoo.ts';
import { makePlan } from '../planner/make-plan.ts';
import { stageWork } from '../planner/work.ts';
import { kernelRates } from './rates-cache.ts';
import { StepProcess } from './step-process.ts';
import { medianOf, type KindRow, type PassRow } from './step-profile.ts';
import { sizedSetup, type StepSetup } from './step-setup.ts';

/** The whole step. */
export interface StepRow extends StepSetup {
  readonly algorithm: string;
  readonly steps: number;
  /** Median and best of the steps. */
  readonly ms: number;
  readonly bestMs: number;
  /** Multiplications and additions of the median step, in every pass. */
  readonly gflops: number;
  /** Best of one core, before or after the steps; the share is that of all threads' cores. */
  readonly peakGflops: number;
  readonly shareOfPeak: number;
  /** The most that was resident in the process by the end of the steps, Node.js included. */
  readonly memoryPeakBytes: number;
  readonly arenaBytes: number;
  readonly loss: number;
}

export interface StepBench {
  readonly step: StepRow;
  /** In order of execution. Their times come from steps of their own, after those of {@link StepRow}, call by call. */
  readonly passes: readonly (PassRow & { readonly shareOfPeak: number })[];
  /** By kind of call, longest first. */
  readonly kinds: readonly KindRow[];
}

export interface StepBenchOptions extends StepSetup {
  /** Steps that count; without it as many as fit into five seconds, at least 5. */
  readonly steps?: number | undefined;
  /** Steps of the profile. */
  readonly rounds?: number | undefined;
}

/** Nothing counts before so many steps and so many milliseconds: by then V8 has optimised the kernels and the memory was touched. */
const WARM_UP_STEPS = 3;
const WARM_UP_MS = 1000;

const LEAST_STEPS = 5;
const MEASURE_MS = 5000;

/** @throws {InputError} `unknownModel`, `shapeMismatch`, `planStages`; {KernelError} of the engine */
export async function benchStep(options: StepBenchOptions): Promise<StepBench> {
  const { steps: wanted, rounds = 5, ...given } = options;
  const setup = sizedSetup(given);
  const { mode, threads } = setup;
  const rates = mode === 'fast' ? await kernelRates() : undefined;
  await using subject = new StepProcess();
  const { arenaBytes, algorithm } = await subject.ask({ ask: 'open', setup, rates });
  const before = await subject.ask({ ask: 'peak', mode });
  const run = (steps: number) => subject.ask({ ask: 'steps', count: steps });
  const lastMs = await warmUp(async (steps) => (await run(steps)).map(({ ms }) => ms));
  const count = wanted ?? Math.max(LEAST_STEPS, Math.ceil(MEASURE_MS / lastMs));
  const timed = await run(count);
  const memoryPeakBytes = await subject.ask({ ask: 'memory' });
  const peakGflops = Math.max(before, await subject.ask({ ask: 'peak', mode }));
  const profile = await subject.ask({ ask: 'profile', rounds });
  const times = timed.map(({ ms }) => ms);
  const ms = medianOf(times);
  const gflops = stepFlops(setup) / ms / 1e6;
  const figures = { ms, bestMs: Math.min(...times), gflops, peakGflops, memoryPeakBytes, arenaBytes };
  const share = (rate: number) => rate / (peakGflops * threads);
  return {
    step: { ...setup, algorithm, steps: count, ...figures, shareOfPeak: share(gflops), loss: timed.at(-1)!.loss },
    passes: profile.passes.map((row) => ({ ...row, shareOfPeak: share(row.gflops) })),
    kinds: profile.kinds,
  };
}

/** Runs steps until the first ones no longer matter. @param run gives the milliseconds of so many steps @returns those of the last one */
export async function warmUp(run: (steps: number) => Promise<readonly number[]>): Promise<number> {
  let total = 0;
  for (;;) {
    const times = await run(WARM_UP_STEPS);
    total += times.reduce((sum, ms) => sum + ms, 0);
    if (total >= WARM_UP_MS) return times.at(-1)!;
  }
}

/** Multiplications and additions of a step: forward, and the gradients of weights and of all inputs but the images. */
export function stepFlops({ model: name, size, batch }: StepSetup): number {
  const model = zooModel(name, size === undefined ? undefined : [size, size]);
  const stages = [{ layers: [0, model.layers.length], partition: 'single' }] as const;
  const plan = makePlan(model, ['device'], { batch, request: { stages } });
  const { forward, backward } = stageWork(model, plan, { stage: 0, rank: 0, samples: batch });
  return 2 * (forward + backward);
}
