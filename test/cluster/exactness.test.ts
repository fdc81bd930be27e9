import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readCheckpoint } from '../../src/training/checkpoint/read.ts';
import { train } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { relativeError } from '../support/lockstep.ts';

const STEPS = 20;

/** Where one run left its checkpoints of steps 1 and 20, and what it said. */
async function trained(t: Parameters<typeof train>[0], nodes: number, grid: string) {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 2000, 128);
  const job = await writeJob(
    directory,
    digitsJob(digits, { steps: STEPS, epochs: undefined, checkpoint: { everySteps: 1, directory: 'run' } }),
  );
  const result = await train(t, [job, '--local', String(nodes), '--grid', grid]);
  const file = (step: number) => join(directory, 'run', `step-${String(step).padStart(6, '0')}.safetensors`);
  const first = await readCheckpoint(file(1));
  const last = await readCheckpoint(file(STEPS));
  const bytes = createHash('sha256').update(await readFile(file(STEPS)));
  return { result, first, last, sha256: bytes.digest('hex') };
}

for (const [nodes, grid] of [
  [4, '2x2'],
  [6, '2x3'],
] as const) {
  test.serial(
    `${grid} tiles in ${nodes} processes train LeNet-5 as one process does, twice with the same bits`,
    async (t) => {
      const alone = await trained(t, 1, '1x1');
      const tiled = await trained(t, nodes, grid);
      const again = await trained(t, nodes, grid);

      t.is(tiled.result.nodes.length, nodes);
      t.is(new Set(tiled.result.nodes.map(({ tile }) => tile)).size, nodes, 'every node owns a tile of its own');
      const parameters = [...alone.first.tensors.keys()].filter((name) => !name.startsWith('momentum.'));
      t.is(parameters.length, 10);
      const worst = { gradient: 0, weights: 0 };
      for (const name of parameters) {
        // After the first step momentum is the gradient.
        const gradient = alone.first.tensors.get(`momentum.${name}`)!.values;
        t.true(gradient.some((value) => value !== 0));
        const gradientError = relativeError(tiled.first.tensors.get(`momentum.${name}`)!.values, gradient);
        const weightsError = relativeError(tiled.last.tensors.get(name)!.values, alone.last.tensors.get(name)!.values);
        t.true(gradientError <= 5e-6, `gradient of ${name} is off by ${gradientError}`);
        t.true(weightsError <= 1e-5, `${name} is off by ${weightsError} after ${STEPS} steps`);
        worst.gradient = Math.max(worst.gradient, gradientError);
        worst.weights = Math.max(worst.weights, weightsError);
      }
      t.log(
        `${grid}: gradients off by ${worst.gradient.toExponential(1)}, weights by ${worst.weights.toExponential(1)}`,
      );

      t.is(again.sha256, tiled.sha256);
      t.is(again.result.weightsChecksum, tiled.result.weightsChecksum);
      t.is(tiled.last.weightsChecksum, tiled.result.weightsChecksum);
    },
  );
}
