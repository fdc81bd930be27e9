/**
 * Benchmark of the convolution kernels: forward, input gradient and weight gradient of typical layers, in the worker engine, against
 * what this processor can do with f32x4 multiplications and additions in registers, measured in the same run.
 */

import type { Arena } from '../kernels/engine.ts';
import { instantiate, type Kernels } from '../kernels/instantiate.ts';
import { loadBuild, type KernelMode } from '../kernels/loader.ts';
import { createEngine } from '../kernels/wasm-engine.ts';
import type { KernelCall } from '../tensor/call.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import { callsOf, type BenchCalls, type BenchLayer } from './kernel-calls.ts';
import { measurePeak } from './peak.ts';

/** Layers of YOLOv2 at 608 x 608, and those of LeNet-5 on tiles of a 2x2 grid, 64 images at once. */
export const BENCH_LAYERS: readonly BenchLayer[] = [
  { samples: 1, extent: 304, inputs: 3, outputs: 32, kernel: 3 },
  { samples: 1, extent: 152, inputs: 32, outputs: 64, kernel: 3 },
  { samples: 1, extent: 76, inputs: 64, outputs: 128, kernel: 3 },
  { samples: 1, extent: 38, inputs: 128, outputs: 256, kernel: 3 },
  { samples: 1, extent: 38, inputs: 256, outputs: 128, kernel: 1 },
  { samples: 64, extent: 14, inputs: 1, outputs: 6, kernel: 5 },
  { samples: 64, extent: 5, inputs: 6, outputs: 16, kernel: 5 },
];

export interface KernelRow {
  readonly mode: KernelMode;
  /** 1 where V8 made one AVX2 instruction of two of WebAssembly's, else 0. */
  readonly revectorized: number;
  /** Samples, rows and columns, channels in and out, kernel: `1x76x76 64->128 k3`. */
  readonly layer: string;
  readonly pass: BenchCalls['pass'];
  /** In mode `strict` all is direct. */
  readonly algorithm: BenchCalls['algorithm'];
  /** Median of the repetitions. */
  readonly ms: number;
  /** Of the multiplications and additions that the layer is defined by, whichever are done. */
  readonly gflops: number;
  /** Best of several measurements of the mode's f32x4 multiply-add in registers, revectorized like the kernels, on one core, in the same run. */
  readonly peakGflops: number;
  readonly shareOfPeak: number;
}

/** A row before the peak is known: it is measured between the layers too. */
type Timing = Pick<KernelRow, 'layer' | 'pass' | 'algorithm' | 'ms' | 'gflops'>;

export interface KernelBenchOptions {
  readonly layers?: readonly BenchLayer[];
  /** Time for the repetitions of each kernel, after warming up. */
  readonly kernelMs?: number;
  readonly signal?: AbortSignal;
}

/** Repetitions before any is counted: by then V8 has optimised the kernel. */
const WARM_UP = 3;
const LEAST_REPETITIONS = 5;

/**
 * Measures every pass of every layer, in every mode, with revectorization where it works and without.
 * @throws {KernelError} when the kernels were not built; the signal's reason when aborted
 */
export async function benchKernels(options: KernelBenchOptions = {}): Promise<readonly KernelRow[]> {
  const modes = ['strict', 'fast'] as const;
  const rows: KernelRow[] = [];
  // Without it first: once V8 was told to revectorize, it does so with whatever it optimises.
  for (const mode of modes) rows.push(...(await benchBuild(mode, false, options)));
  for (const mode of modes) {
    const { wide } = await loadBuild(mode);
    if (wide) rows.push(...(await benchBuild(mode, true, options)));
  }
  return rows;
}

async function benchBuild(
  mode: KernelMode,
  revectorize: boolean,
  { layers = BENCH_LAYERS, kernelMs = 150, signal }: KernelBenchOptions,
): Promise<readonly KernelRow[]> {
  const { module, wide } = await loadBuild(mode, revectorize);
  const kernels: Kernels = instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: 1024, shared: true }));
  await using engine = await createEngine({ revectorize });
  const allocate = (bytes: number) => engine.allocate(bytes, { mode });
  let peakGflops = measurePeak(kernels, wide);
  const timed: Timing[] = [];
  for (const layer of layers) {
    const { bytes, passes } = callsOf(layer);
    const own = passes.filter(({ algorithm }) => mode === 'fast' || algorithm === 'direct');
    timed.push(...(await timeLayer(await allocate(bytes), layer, own, { kernelMs, signal })));
    peakGflops = Math.max(peakGflops, measurePeak(kernels, wide));
  }
  const build = { mode, revectorized: wide ? 1 : 0 };
  return timed.map((timing) => ({ ...build, ...timing, peakGflops, shareOfPeak: timing.gflops / peakGflops }));
}

async function timeLayer(
  arena: Arena,
  layer: BenchLayer,
  passes: readonly BenchCalls[],
  { kernelMs, signal }: { kernelMs: number; signal: AbortSignal | undefined },
): Promise<readonly Timing[]> {
  try {
    fillRandomly(arena);
    const { samples, extent, inputs, outputs, kernel } = layer;
    const flops = 2 * samples * extent ** 2 * kernel ** 2 * inputs * outputs;
    const name = `${samples}x${extent}x${extent} ${inputs}->${outputs} k${kernel}`;
    const timings: Timing[] = [];
    for (const { pass, algorithm, calls } of passes) {
      const ms = await medianMs(arena, calls, kernelMs, signal);
      timings.push({ layer: name, pass, algorithm, ms, gflops: flops / ms / 1e6 });
    }
    return timings;
  } finally {
    arena.release();
  }
}

/** Values in [-0.5, 0.5); where a weight gradient reads beyond a row they are finite, which is all that matters to its speed. */
function fillRandomly(arena: Arena): void {
  const floats = new Float32Array(
    arena.bytes.buffer,
    arena.bytes.byteOffset,
    Math.floor(arena.bytes.byteLength / FLOAT_BYTES),
  );
  for (let i = 0; i < floats.length; i++) floats[i] = ((Math.imul(i, 0x9e3779b1) >>> 8) & 0xffff) / 0x10000 - 0.5;
}

async function medianMs(
  arena: Arena,
  calls: readonly KernelCall[],
  kernelMs: number,
  signal?: AbortSignal,
): Promise<number> {
  const submission = arena.compile(calls);
  for (let i = 0; i < WARM_UP; i++) await arena.run(submission, signal);
  const times: number[] = [];
  for (let total = 0; total < kernelMs || times.length < LEAST_REPETITIONS;) {
    const ms = await arena.run(submission, signal);
    times.push(ms);
    total += ms;
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1]!;
}
