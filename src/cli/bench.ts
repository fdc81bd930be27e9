/** mqtile bench: measures kernels, training steps and transport on this machine, always beside a peak or a baseline of the same run. */

import { writeFile } from 'node:fs/promises';
import { stamp } from '../bench/stamp.ts';
import { InputError } from '../index.ts';
import { runStep } from './bench-step.ts';
import { parseArguments, type Command } from './command.ts';
import { formatTable } from './format.ts';

const HELP = `Usage: mqtile bench kernels|step|transport [options]

  kernels     GFLOP/s of convolution forward, input gradient (dX) and weight gradient (dW), and their share of this
              core's f32x4 multiply-add peak, measured in the same run
  step        ms and GFLOP/s of whole training steps on one device, with no cluster around it; by layer and pass; memory
  transport   MB/s and latency between two nodes, beside raw TCP in the same run

  --json      one JSON object a line on standard output
  --save FILE keep the rows as JSON, stamped with commit, CPU, Node and date

Of step:
  --model NAME    yolov2-front (default) or lenet5
  --size N        rows and columns of the images, for a model that takes any (default: the model's own, 416)
  --batch N       images of a step (default 1)
  --threads N     kernel threads (default 1)
  --mode MODE     kernels of fast (default) or strict
  --steps N       steps that count (default: as many as fit into five seconds, at least 5)
  --recompute     backward computes each stage again instead of keeping what lies inside it
  --strips N      the stage that holds most goes in N strips, others in fewer; in training only with --recompute
  --stages LIST   first layers of the stages, e.g. 0,4,8,12 (default: one stage; after each pooling with --recompute)

Example: mqtile bench step --model yolov2-front --size 416 --batch 1 --threads 1
`;

export const benchCommand: Command = {
  name: 'bench',
  summary: 'measure kernels, a training step or transport on this machine',
  help: HELP,
  run,
};

/** Loaded only when asked for, like everything that a command does not always need. */
const BENCHMARKS = new Map<string, () => Promise<readonly object[]>>([
  ['kernels', async () => (await import('../bench/kernels.ts')).benchKernels()],
  ['transport', async () => (await import('../bench/transport.ts')).benchTransport()],
]);

const STILL_TO_COME = ['device', 'cluster'];

const STEP_OPTIONS = ['model', 'size', 'batch', 'threads', 'mode', 'steps', 'stages', 'recompute', 'strips'] as const;

async function run(args: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const figures = { size: text, batch: text, threads: text, steps: text };
  const ofStep = { model: text, mode: text, ...figures, stages: text, recompute: flag, strips: text };
  const options = { json: flag, save: text, ...ofStep } as const;
  const { values, positionals } = parseArguments(args, options, 1);
  const { json = false, save } = values;
  const [what = ''] = positionals;
  const rows = what === 'step' ? await runStep(values, json) : await measureOther(what, values, json);
  if (save !== undefined) await writeFile(save, `${JSON.stringify(stamp(what, rows), null, 2)}\n`);
  return 0;
}

async function measureOther(
  what: string,
  values: Readonly<Record<string, unknown>>,
  json: boolean,
): Promise<readonly object[]> {
  const measure = BENCHMARKS.get(what);
  if (!measure) throw unknownBenchmark(what);
  const wrong = STEP_OPTIONS.find((option) => values[option] !== undefined);
  if (wrong !== undefined)
    throw new InputError('arguments', `--${wrong}: belongs to mqtile bench step, not to ${what}`);
  const rows = await measure();
  show(rows, json);
  return rows;
}

function unknownBenchmark(what: string): InputError {
  if (STILL_TO_COME.includes(what)) {
    return new InputError('stillToCome', `mqtile bench ${what} is still to come; today: kernels, step, transport`);
  }
  const got = what === '' ? 'nothing to measure' : what;
  return new InputError('arguments', `got ${got}, want kernels, step or transport; see mqtile bench --help`);
}

type Row = Readonly<Record<string, string | number>>;

/** Every row of a benchmark has the same keys, which are its columns. */
function show(rows: readonly object[], json: boolean): void {
  const records = rows as readonly Row[];
  if (json) {
    for (const row of records) process.stdout.write(`${JSON.stringify(row)}\n`);
    return;
  }
  const columns = Object.keys(records[0] ?? {}).map((title) => ({
    title,
    value: (row: Row) => formatValue(row[title]),
    right: typeof records[0]![title] === 'number',
  }));
  process.stdout.write(formatTable(columns, records, process.stdout));
}

function formatValue(value: string | number | undefined): string {
  if (typeof value !== 'number') return value ?? '';
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
}
