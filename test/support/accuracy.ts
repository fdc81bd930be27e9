/** Accuracy: what a network of mode `fast` knows of MNIST's digits at the end of its training, beside one of mode `strict`. */

import type { Dataset } from '../../src/dataset/dataset.ts';
import type { Engine } from '../../src/kernels/engine.ts';
import { initialParameters } from '../../src/model/init.ts';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import type { KernelPlan } from '../../src/planner/plan.ts';
import { fastKernels } from './kernel-plans.ts';
import { trainInMemory } from './memory-cluster.ts';

export const SEEDS = [1, 2, 3] as const;

/** Share of right answers by which the means over {@link SEEDS} may differ. */
export const LARGEST_DIFFERENCE = 0.003;

const RELU = { kind: 'relu' } as const;
const square = { kind: 'conv2d', kernel: 3, stride: 1, padding: 1, activation: RELU } as const;
const pool = { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 } as const;

/** LeNet-5, and a network whose convolutions are all Winograd's. */
export const MODELS: readonly Model[] = [
  zooModel('lenet5'),
  {
    name: 'three by three',
    input: [1, 28, 28],
    layers: [
      { ...square, name: 'conv1', filters: 8 },
      pool,
      { ...square, name: 'conv2', filters: 16 },
      pool,
      { ...square, name: 'conv3', filters: 16 },
      { kind: 'flatten' },
      { kind: 'dense', name: 'fc1', units: 10, activation: { kind: 'identity' } },
    ],
    loss: 'softmaxCrossEntropy',
  },
];

const STRICT: KernelPlan = { mode: 'strict' };

export interface Training {
  readonly train: Dataset;
  readonly test: Dataset;
  readonly steps: number;
  readonly engine: Engine;
}

export interface Accuracies {
  /** By seed. */
  readonly strict: readonly number[];
  readonly fast: readonly number[];
  /** Of the means: fast less strict. */
  readonly difference: number;
}

/** Trains a model with both modes, once for each seed, with batches of 64 and a rate that falls to nothing. */
export async function compareAccuracy(model: Model, training: Training): Promise<Accuracies> {
  const [strict, fast]: [number[], number[]] = [[], []];
  for (const seed of SEEDS) {
    strict.push(await accuracyOf(model, STRICT, seed, training));
    fast.push(await accuracyOf(model, fastKernels(model, [true], 'winograd'), seed, training));
  }
  const mean = (shares: readonly number[]) => shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return { strict, fast, difference: mean(fast) - mean(strict) };
}

async function accuracyOf(model: Model, kernels: KernelPlan, seed: number, training: Training): Promise<number> {
  const { engine, ...data } = training;
  const { results } = await trainInMemory({
    model,
    kernels,
    seed,
    initial: new Map([...initialParameters(model, seed)].map(([name, { values }]) => [name, values])),
    ...data,
    batch: 64,
    rate: 0.05,
    decay: 'linear',
    devices: 1,
    request: { grid: [1, 1] },
    checkpointEverySteps: training.steps,
    engine: () => engine,
  });
  return results[0]!.testAccuracy!;
}
