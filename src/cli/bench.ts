/** mqtile bench: measures kernels and transport on this machine, always beside a peak or a baseline of the same run. */

import { InputError } from '../index.ts';
import { parseArguments, type Command } from './command.ts';
import { formatTable } from './format.ts';

const HELP = `Usage: mqtile bench kernels|transport [--json]

  kernels     GFLOP/s of convolution forward, input gradient (dX) and weight gradient (dW), and their share of this
              core's f32x4 multiply-add peak, measured in the same run
  transport   MB/s and latency between two nodes, beside raw TCP in the same run

  --json      one JSON object a line on standard output

Example: mqtile bench kernels
`;

export const benchCommand: Command = {
  name: 'bench',
  summary: 'measure kernels or transport on this machine',
  help: HELP,
  run,
};

const STILL_TO_COME = ['device', 'step', 'cluster'];

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments(args, { json: { type: 'boolean' } }, 1);
  const [what = ''] = positionals;
  const json = values.json ?? false;
  // Loaded only when asked for, like everything that a command does not always need.
  if (what === 'kernels') show(await (await import('../bench/kernels.ts')).benchKernels(), json);
  else if (what === 'transport') show(await (await import('../bench/transport.ts')).benchTransport(), json);
  else if (STILL_TO_COME.includes(what))
    throw new InputError('stillToCome', `mqtile bench ${what} is still to come; today: kernels, transport`);
  else
    throw new InputError(
      'arguments',
      `got ${what === '' ? 'nothing to measure' : what}, want kernels or transport; see mqtile bench --help`,
    );
  return 0;
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
