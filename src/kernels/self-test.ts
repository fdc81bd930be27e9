/** Self-test of revectorized kernels: small convolutions, direct and by Winograd, have the bits that the plain kernels give them, and take less time. */

import { convolveWeightsScratch, packedWeightsBytes, type KernelCall } from '../tensor/call.ts';
import { FLOAT_BYTES, contiguous, type View } from '../tensor/view.ts';
import { winogradWeightsLayout } from '../tensor/winograd-weights.ts';
import { transformedWeightsBytes, transformedWeightsStride, winogradLayout } from '../tensor/winograd.ts';
import { encodeCalls } from './encode.ts';
import { instantiate } from './instantiate.ts';

const CHANNELS = 40;
const ROWS = 22;
const EXTENT = 18;
const HALO = 1;
const PAGE_BYTES = 65_536;

/** Two vectors at a time are worth it from here on; where the CPU cannot, the wide tiles take longer. */
const LEAST_GAIN = 1.2;
const REPETITIONS = 5;

/** So often all calls run at least: small functions are optimised later than the one that is timed. */
const LEAST_ROUNDS = 4;

/** V8 optimises functions after they have run for a while; one that is not faster by then stays as it is. */
const WARM_UP_MS = 400;

const STRIDE = EXTENT + 2 * HALO;
const PLANE = STRIDE * STRIDE * FLOAT_BYTES;
const INSIDE = (HALO * STRIDE + HALO) * FLOAT_BYTES;

function inside(offset: number, channels: number): View {
  const view = contiguous(offset, [1, channels, STRIDE, STRIDE]);
  return { ...view, offset: offset + INSIDE, extent: [1, channels, EXTENT, EXTENT] };
}

const WEIGHT_BYTES = ROWS * CHANNELS * 9 * FLOAT_BYTES;

/** Offsets in the memory; the first 64 bytes are never a tensor. */
const SOURCE = 64;
const WEIGHTS = align(SOURCE + CHANNELS * PLANE);
const BIAS = align(WEIGHTS + WEIGHT_BYTES);
const TARGET = align(BIAS + ROWS * FLOAT_BYTES);
const WINOGRAD_TARGET = align(TARGET + ROWS * PLANE);
const GRADIENT = align(WINOGRAD_TARGET + ROWS * PLANE);
const WINOGRAD_GRADIENT = align(GRADIENT + WEIGHT_BYTES);
const PACKED = align(WINOGRAD_GRADIENT + WEIGHT_BYTES);
const TRANSFORMED = align(PACKED + packedWeightsBytes(ROWS, CHANNELS, 9));
const SCRATCH = align(TRANSFORMED + transformedWeightsBytes(ROWS, CHANNELS));
const SCRATCH_BYTES = Math.max(
  convolveWeightsScratch(CHANNELS, 9),
  winogradLayout(CHANNELS, inside(WINOGRAD_TARGET, ROWS)).bytes,
  winogradWeightsLayout(CHANNELS, inside(WINOGRAD_TARGET, ROWS)).bytes,
);
const BLOCKS = align(SCRATCH + SCRATCH_BYTES);

function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** Whether `wide`, once it is optimised, computes the bits of `plain`, in less time than narrow tiles take. */
export function passesSelfTest(wide: WebAssembly.Module, plain: WebAssembly.Module): boolean {
  const trial = new Trial(wide, true);
  const narrow = new Trial(wide, false);
  const deadline = performance.now() + WARM_UP_MS;
  for (let [round, gain] = [0, 0]; round < LEAST_ROUNDS || gain < LEAST_GAIN; round++) {
    if (performance.now() > deadline) return false;
    gain = narrow.milliseconds() / trial.milliseconds();
  }
  // In mode fast, wide tiles add in another order than narrow ones: of like tiles the bits are alike.
  return trial.agrees(new Trial(plain, true));
}

/** Runs of the calls over a memory of its own. */
class Trial {
  readonly #outputs: readonly Float32Array[];
  readonly #all: () => void;
  readonly #convolution: () => void;

  constructor(module: WebAssembly.Module, wide: boolean) {
    const words = encodeCalls(CALLS, wide);
    const pages = Math.ceil((BLOCKS + words.byteLength) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const { buffer } = memory;
    const kernels = instantiate(module, memory);
    const values = new Float32Array(buffer, 0, TARGET / FLOAT_BYTES);
    for (let i = 0; i < values.length; i++) values[i] = ((Math.imul(i, 0x9e3779b1) >>> 8) & 0xffff) / 0x10000 - 0.5;
    new Int32Array(buffer, BLOCKS, words.length).set(words);
    const convolution = BLOCKS + encodeCalls(CALLS.slice(0, 1), wide).byteLength;
    this.#all = () => kernels.execute(BLOCKS, CALLS.length);
    this.#convolution = () => kernels.execute(convolution, 1);
    this.#all();
    this.#outputs = OUTPUTS.map(([offset, length]) => new Float32Array(buffer, offset, length / FLOAT_BYTES));
  }

  /** Some more runs. @returns the shortest time of the direct convolution */
  milliseconds(): number {
    const times = Array.from({ length: REPETITIONS }, () => {
      this.#all();
      const began = performance.now();
      this.#convolution();
      return performance.now() - began;
    });
    return Math.min(...times);
  }

  /** Whether both have left the same bits. */
  agrees(other: Trial): boolean {
    return this.#outputs.every((values, i) => values.every((value, j) => Object.is(value, other.#outputs[i]![j])));
  }
}

const TAP_INDEX = Array.from({ length: 9 }, (_, tap) => tap);
const TAPS = TAP_INDEX.map((tap) => ((Math.floor(tap / 3) - HALO) * STRIDE + (tap % 3) - HALO) * FLOAT_BYTES);
const WEIGHT_ORDER = { weights: WEIGHTS, rows: ROWS, columns: CHANNELS, rowStride: CHANNELS * 9, columnStride: 9 };
const TRANSFORMED_WEIGHTS = { packed: TRANSFORMED, frequencyStride: transformedWeightsStride(ROWS, CHANNELS) };
const EPILOGUE = { bias: BIAS, slope: 0.1 };

/** The source, counted from the pixel that the first output's first tap reads. */
const FROM_FIRST_TAP: View = { ...inside(SOURCE, CHANNELS), offset: inside(SOURCE, CHANNELS).offset + TAPS[0]! };

/** Forward with bias and activation, then the gradient of the weights from the output as its own gradient: direct, and by Winograd. */
const CALLS: readonly KernelCall[] = [
  { kind: 'packWeights', packed: PACKED, ...WEIGHT_ORDER, taps: TAP_INDEX },
  {
    kind: 'convolve',
    source: inside(SOURCE, CHANNELS),
    target: inside(TARGET, ROWS),
    packed: PACKED,
    taps: TAPS,
    ...EPILOGUE,
  },
  {
    kind: 'convolveWeights',
    source: inside(SOURCE, CHANNELS),
    gradient: inside(TARGET, ROWS),
    taps: TAPS,
    tapIndex: TAP_INDEX,
    kernelTaps: 9,
    target: GRADIENT,
    scratch: SCRATCH,
  },
  { kind: 'transformWeights', ...TRANSFORMED_WEIGHTS, ...WEIGHT_ORDER, mirrored: false },
  {
    kind: 'convolveWinograd',
    source: FROM_FIRST_TAP,
    target: inside(WINOGRAD_TARGET, ROWS),
    ...TRANSFORMED_WEIGHTS,
    ...EPILOGUE,
    scratch: SCRATCH,
  },
  {
    kind: 'convolveWinogradWeights',
    source: FROM_FIRST_TAP,
    gradient: inside(WINOGRAD_TARGET, ROWS),
    target: WINOGRAD_GRADIENT,
    scratch: SCRATCH,
  },
];

/** Offset and bytes of what is compared. */
const OUTPUTS = [
  [TARGET, ROWS * PLANE],
  [GRADIENT, WEIGHT_BYTES],
  [WINOGRAD_TARGET, ROWS * PLANE],
  [WINOGRAD_GRADIENT, WEIGHT_BYTES],
] as const;
