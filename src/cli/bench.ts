/** mqtile bench: measures kernels and transport on this machine, always beside a peak or a baseline of the same run. */

import { writeFile } from 'node:fs/promises';
import { stamp } from '../bench/stamp.ts';
import { InputError } from '../index.ts';
import { parseArguments, type Command } from './command.ts';
import { formatTable } from './format.ts';

const HELP = `Usage: mqtile bench kernels|transport [--json] [--save FILE]

  kernels     GFLOP/s of convolution forward, input gradient (dX) and weight gradient (dW), and their share of this
              core's f32x4 multiply-add peak, measured in the same run
  transport   MB/s and latency between two nodes, beside raw TCP in the same run

  --json      one JSON object a line on standard output
  --save FILE keep the rows as JSON, stamped with commit, CPU, Node and date

Example: mqtile bench kernels
`;

export const benchCommand: Command = {
  name: 'bench',
  summary: 'measure kernels or transport on this machine',
  help: HELP,
  run,
};

/** Loaded only when asked for, like everything that a command does not always need. */
const BENCHMARKS = new Map<string, () => Promise<readonly object[]>>([
  ['kernels', async () => (await import('../bench/kernels.ts')).benchKernels()],
  ['transport', async () => (await import('../bench/transport.ts')).benchTransport()],
]);

const STILL_TO_COME = ['device', 'step', 'cluster'];

async function run(args: readonly string[]): Promise<number> {
  const options = { json: { type: 'boolean' }, save: { type: 'string' } } as const;
  const { values, positionals } = parseArguments(args, options, 1);
  const [what = ''] = positionals;
  const measure = BENCHMARKS.get(what);
  if (!measure) throw unknownBenchmark(what);
  const rows = await measure();
  show(rows, values.json ?? false);
  if (values.save !== undefined) {
    await writeFile(values.save, `${JSON.stringify(stamp(what, rows), null, 2)}\n`);
  }
  return 0;
}

function unknownBenchmark(what: string): InputError {
  if (STILL_TO_COME.includes(what)) {
    return new InputError('stillToCome', `mqtile bench ${what} is still to come; today: kernels, transport`);
  }
  const got = what === '' ? 'nothing to measure' : what;
  return new InputError('arguments', `got ${got}, want kernels or transport; see mqtile bench --help`);
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
