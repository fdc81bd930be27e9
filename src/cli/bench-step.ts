/** mqtile bench step: how long a training step of a model takes on one device, and where the time goes. */

import type { StepBench } from '../bench/step.ts';
import { InputError } from '../index.ts';
import { wholeNumber } from './command.ts';
import { formatBytes, formatTable, paint } from './format.ts';

/** What the command line says of the step, as text. */
export interface StepArguments {
  readonly model?: string | undefined;
  readonly size?: string | undefined;
  readonly batch?: string | undefined;
  readonly threads?: string | undefined;
  readonly mode?: string | undefined;
  readonly steps?: string | undefined;
  readonly stages?: string | undefined;
  readonly recompute?: boolean | undefined;
  readonly strips?: string | undefined;
}

const { stdout } = process;

/** Measures, prints, and returns one object a row: passes of layers, kinds of calls, the whole step last. @throws {InputError} */
export async function runStep(given: StepArguments, json: boolean): Promise<readonly object[]> {
  const { model = 'yolov2-front', batch = '1', threads = '1', mode = 'fast' } = given;
  if (mode !== 'strict' && mode !== 'fast')
    throw new InputError('arguments', `--mode: got ${mode}, want strict or fast`);
  if (given.strips !== undefined && given.recompute !== true)
    throw new InputError(
      'arguments',
      '--strips: wants --recompute too, because training keeps what it does not recompute',
    );
  const optional = (option: 'size' | 'steps' | 'strips') => {
    const text = given[option];
    return text === undefined ? undefined : wholeNumber(option, text, 1);
  };
  const { benchStep } = await import('../bench/step.ts');
  const measured = await benchStep({
    model,
    size: optional('size'),
    batch: wholeNumber('batch', batch, 1),
    threads: wholeNumber('threads', threads, 1),
    mode,
    steps: optional('steps'),
    stages: given.stages?.split(',').map((start) => wholeNumber('stages', start, 0)),
    recompute: given.recompute,
    strips: optional('strips'),
  });
  const rows = rowsOf(measured);
  stdout.write(json ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : describe(measured));
  return rows;
}

function rowsOf({ step, passes, kinds }: StepBench): readonly object[] {
  const { memoryPeakBytes } = step;
  return [
    ...passes.map((row) => ({ event: 'pass', ...row, memoryPeakBytes })),
    ...kinds.map((row) => ({ event: 'calls', ...row })),
    { event: 'step', ...step },
  ];
}

function walkName({ stages, recompute, strips }: StepBench['step']): string {
  const cut = stages === undefined ? '' : `, stages ${stages.join(',')}`;
  return `${cut}${recompute === true ? ', recomputed' : ''}${strips === undefined ? '' : ` in strips, ${strips} of the largest stage`}`;
}

function describe({ step, passes, kinds }: StepBench): string {
  const { model, size, batch, threads, mode, steps, ms, bestMs, gflops, peakGflops } = step;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const total = kinds.reduce((sum, row) => sum + row.ms, 0);
  const rate = (value: number, text: string) => (value === 0 ? '' : text);
  return [
    `${paint('bold', model, stdout)}, ${size}x${size}, batch ${batch}, ${threads} thread${threads === 1 ? '' : 's'}, mode ${mode}${walkName(step)}\n\n`,
    formatTable(
      [
        { title: 'layer', value: ({ layer }) => layer },
        { title: 'pass', value: ({ pass }) => pass },
        { title: 'algorithm', value: ({ algorithm }) => algorithm },
        { title: 'ms', value: (row) => row.ms.toFixed(2), right: true },
        { title: 'of step', value: (row) => percent(row.ms / total), right: true },
        { title: 'GFLOP/s', value: (row) => rate(row.gflops, row.gflops.toFixed(1)), right: true },
        { title: 'of peak', value: (row) => rate(row.gflops, percent(row.shareOfPeak)), right: true },
      ],
      passes,
      stdout,
    ),
    '\n',
    formatTable(
      [
        { title: 'kind of call', value: ({ call }) => call },
        { title: 'calls', value: ({ calls }) => String(calls), right: true },
        { title: 'ms', value: (row) => row.ms.toFixed(2), right: true },
        { title: 'of step', value: (row) => percent(row.ms / total), right: true },
      ],
      kinds,
      stdout,
    ),
    `\n  both tables from steps call by call (${total.toFixed(1)} ms), after ${steps} whole ones:\n`,
    `  ${paint('bold', `${ms.toFixed(1)} ms a step`, stdout)} (median; best ${bestMs.toFixed(1)}), ${gflops.toFixed(1)} GFLOP/s, `,
    `${percent(step.shareOfPeak)} of ${threads === 1 ? '' : `${threads} x `}the core's ${peakGflops.toFixed(1)}\n`,
    `  memory peak of the process ${formatBytes(step.memoryPeakBytes)}, of it arena ${formatBytes(step.arenaBytes)}\n`,
  ].join('');
}
