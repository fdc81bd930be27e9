/** mqtile plan: shows how a job would be cut, and draws it. */

import { writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import {
  InputError,
  describePlan,
  drawPlan,
  jobOf,
  naming,
  parseDevices,
  parseGrid,
  planHashOf,
  planOf,
  type PlanDescription,
  type Submission,
} from '../index.ts';
import { parseArguments, wholeNumber, type Command } from './command.ts';
import { formatBytes, formatTable, paint } from './format.ts';
import { readText } from './node.ts';

const HELP = `Usage: mqtile plan job.yaml [options]

Shows how the job is cut into stages and tiles, what travels between devices, and the memory that each one needs. Nothing is trained.

  --devices FILE   names of the devices by rank: devices: [{name: pi1}, {name: pi2}]   (default: node1, node2, … as many as the grid has tiles)
  --local N        node1 to nodeN, as mqtile train --local N
  --grid RxC       rows x columns of tiles, instead of what the job says
  --svg FILE       draw tiles and halos
  --json           one JSON object on standard output

In mode fast it shows the kernels for typical devices; a run has those that its devices' own measurements choose, and so another hash.

Example: mqtile plan flows/lenet5-mnist.yaml --grid 2x3 --svg plan.svg
`;

export const planCommand: Command = {
  name: 'plan',
  summary: 'show and draw how a job is cut into tiles',
  help: HELP,
  run,
};

const OPTIONS = {
  devices: { type: 'string' },
  local: { type: 'string' },
  grid: { type: 'string' },
  svg: { type: 'string' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments(args, OPTIONS, 1);
  const submission = await readSubmission(positionals[0], values);
  const job = jobOf(submission);
  const devices = await deviceNames(job.plan, values);
  const plan = naming(basename(submission.source), () => planOf(job, devices));
  const description = describePlan(job, plan, planHashOf(job, plan));
  if (values.svg !== undefined) await writeText('svg', values.svg, drawPlan(plan, job.model));
  if (values.json) process.stdout.write(`${JSON.stringify(description)}\n`);
  else process.stdout.write(describe(description, values.svg));
  return 0;
}

/** Writes what an option names a file for. @throws {InputError} `cannotWrite` */
export async function writeText(option: string, path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const why = gone ? 'its folder does not exist' : String(cause);
    throw new InputError('cannotWrite', `--${option}: ${path} cannot be written: ${why}`, { cause });
  }
}

/** The job file and what the command line says instead of it. @throws {InputError} */
export async function readSubmission(
  path: string | undefined,
  {
    grid,
    steps,
    resume = false,
    local,
  }: {
    grid?: string | undefined;
    steps?: string | undefined;
    resume?: boolean | undefined;
    local?: string | undefined;
  },
): Promise<Submission> {
  if (path === undefined)
    throw new InputError('arguments', 'the job file is missing, e.g. flows/lenet5-mnist.yaml; see --help');
  return {
    text: await readText(path),
    directory: resolve(dirname(path)),
    source: path,
    ...(grid === undefined ? {} : { grid: [...parseGrid(grid, '--grid')] as [number, number] }),
    ...(steps === undefined ? {} : { steps: wholeNumber('steps', steps, 1) }),
    resume,
    writers: local === undefined ? 'all' : 'first',
  };
}

type PlanChoice = Parameters<typeof planOf>[0]['plan'];

/** Names by rank: those of a devices file, else node1, node2, … as many as the grid has tiles. @throws {InputError} */
export async function deviceNames(
  choice: PlanChoice,
  { devices, local }: { devices?: string | undefined; local?: string | undefined },
): Promise<readonly string[]> {
  if (devices !== undefined) return parseDevices(await readText(devices), devices);
  if (local !== undefined) return localNames(wholeNumber('local', local, 1));
  const grid = 'grid' in choice ? choice.grid : choice.stages.find((stage) => stage.grid)?.grid;
  return localNames(grid ? grid[0] * grid[1] : 1);
}

export function localNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, rank) => `node${rank + 1}`);
}

function describe(plan: PlanDescription, svg: string | undefined): string {
  const { stdout } = process;
  const devices = Object.keys(plan.predictedMemoryBytes);
  const stages = plan.stages.map((stage, index) => ({ index, ...stage }));
  const tiles = stages.flatMap((stage) => devices.map((device) => ({ stage, device })));
  const lines = [
    `${paint('bold', plan.model, stdout)}, batch ${plan.batch}, ${devices.length} device${devices.length === 1 ? '' : 's'}, mode ${plan.mode}, plan ${plan.planHash}\n\n`,
    formatTable(
      [
        { title: 'stage', value: ({ index }) => String(index + 1) },
        { title: 'layers', value: ({ layers }) => `${layers[0]}-${layers[1] - 1}` },
        { title: 'partition', value: ({ partition, grid }) => (grid ? `${partition} ${grid}` : partition) },
        { title: 'recomputed', value: ({ recompute }) => (recompute ? 'yes' : 'no') },
        { title: 'strips', value: ({ strips = 1 }) => String(strips), right: true },
        { title: 'multiply-adds', value: ({ multiplyAdds }) => `${(multiplyAdds / 1e6).toFixed(1)} M`, right: true },
        { title: 'overlap', value: ({ overlap }) => `${overlap.toFixed(2)}x`, right: true },
        { title: 'activations/step', value: ({ activationBytes }) => formatBytes(activationBytes), right: true },
        { title: 'parameters/step', value: ({ parameterBytes }) => formatBytes(parameterBytes), right: true },
      ],
      stages,
      stdout,
    ),
    '\n',
    formatTable(
      [
        { title: 'stage', value: ({ stage }) => String(stage.index + 1) },
        { title: 'device', value: ({ device }) => device },
        { title: 'computes (output)', value: ({ stage, device }) => formatRanges(stage.owned[device]!) },
        { title: 'needs (input)', value: ({ stage, device }) => formatRanges(stage.needed[device]!) },
      ],
      tiles,
      stdout,
    ),
    '\n',
    describeAlgorithms(plan),
    `  all devices send ${formatBytes(plan.bytesPerStep)} a step; memory: `,
    devices.map((device) => `${device} ${formatBytes(plan.predictedMemoryBytes[device]!)}`).join(', '),
    '\n',
  ];
  if (svg !== undefined) lines.push(`  drawn: ${svg}\n`);
  return lines.join('');
}

/** A table of the convolutions that are not computed directly in every pass; empty without any. */
function describeAlgorithms({ algorithms }: PlanDescription): string {
  const { stdout } = process;
  const rows = Object.entries(algorithms).filter(([, passes]) => Object.values(passes).includes('winograd'));
  if (rows.length === 0) return '';
  const columns = [
    { title: 'convolution', value: ([name]: (typeof rows)[number]) => name },
    { title: 'forward', value: ([, { forward }]: (typeof rows)[number]) => forward },
    { title: 'input gradient', value: ([, { inputGradient }]: (typeof rows)[number]) => inputGradient },
    { title: 'weight gradient', value: ([, { weightGradient }]: (typeof rows)[number]) => weightGradient },
  ];
  return `${formatTable(columns, rows, stdout)}\n`;
}

function formatRanges(box: readonly (readonly [number, number])[]): string {
  if (box.some(([start, end]) => end <= start)) return 'nothing';
  const [n, c, y, x] = box.map(([start, end]) => `${start}:${end}`);
  return `samples ${n}, channels ${c}, rows ${y}, columns ${x}`;
}
