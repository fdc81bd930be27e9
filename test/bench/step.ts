/** npm run bench:step: training steps of MQTile and of PyTorch, in turns, on the same cores, as ratios. */

import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stamp } from '../../src/bench/stamp.ts';
import { sizedSetup, type StepSetup } from '../../src/bench/step-setup.ts';
import type { KernelMode } from '../../src/kernels/loader.ts';
import { whyNoPytorch } from '../support/pytorch.ts';
import { ratesHere, startContenders, type Contender, type Sized } from './contenders.ts';
import { compare, type ComparedRow } from './turns.ts';

const HELP = `Usage: npm run --silent bench:step -- [options]

Training steps of MQTile (as it is, without revectorization, and recomputed in strips), of PyTorch (Debian's python3-torch and libopenblas0, both
layouts) and of tfjs-cpu, in turns, pinned to the same cores. A ratio above 1 says that one takes less time than PyTorch's faster layout.

  --model NAME    yolov2-front (default) or lenet5
  --size N        rows and columns of the images (default 416)
  --batch N       images of a step (default 1); without these three: yolov2-front at 224, 416, 608, and at 416 with batch 4; lenet5 with batch 64
  --mode MODE     MQTile's kernels: fast (default) or strict
  --threads N     threads of all, on the last N cores (default 1); more than one are measured beside one
  --rounds N      turns (default 5)
  --tfjs FOLDER   where @tensorflow/tfjs can be resolved (default: the working folder); its steps take seconds to minutes
  --save FILE     keep the rows as JSON, stamped with commit, CPU, Node and date
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const figures = { size: text, batch: text, threads: text, rounds: text } as const;
  const options = { model: text, mode: text, ...figures, tfjs: text, save: text } as const;
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
  const tfjs = tfjsFolder(values.tfjs ?? '.');
  const threads = Number(values.threads ?? 1);
  const mode: KernelMode = values.mode === 'strict' ? 'strict' : 'fast';
  const { model = 'yolov2-front', size = '416', batch = '1', rounds = '5' } = values;
  const isStandard = values.model === undefined && values.size === undefined && values.batch === undefined;
  const one = { model, size: Number(size), batch: Number(batch), threads, mode };
  const setups = isStandard ? standardCases(threads, mode) : [one];
  const rows: ComparedRow[] = [];
  for (const setup of setups) rows.push(...(await measure(sizedSetup(setup), Number(rounds), tfjs)));
  if (values.save !== undefined) {
    await writeFile(values.save, `${JSON.stringify(stamp('step', rows), null, 2)}\n`);
  }
  return 0;
}

function standardCases(threads: number, mode: KernelMode): readonly StepSetup[] {
  const front = (size: number, batch: number) => ({ model: 'yolov2-front', size, batch, threads, mode });
  return [front(224, 1), front(416, 1), front(608, 1), front(416, 4), { model: 'lenet5', batch: 64, threads, mode }];
}

/** @returns the folder, or undefined where tfjs is not installed */
function tfjsFolder(folder: string): string | undefined {
  try {
    createRequire(resolve(folder, 'package.json')).resolve('@tensorflow/tfjs');
    return folder;
  } catch {
    process.stdout.write(`tfjs is not compared: @tensorflow/tfjs is not installed in ${resolve(folder)}; see --tfjs\n`);
    return undefined;
  }
}

async function measure(setup: Sized, rounds: number, tfjs: string | undefined): Promise<readonly ComparedRow[]> {
  const rates = await ratesHere();
  const contenders: Contender[] = [];
  try {
    for (const threads of new Set([1, setup.threads]))
      contenders.push(...(await startContenders({ ...setup, threads }, rates, tfjs)));
    const rows = await compare(setup, contenders, rounds);
    for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
    return rows;
  } finally {
    await Promise.all(contenders.map((contender) => contender[Symbol.asyncDispose]()));
  }
}
