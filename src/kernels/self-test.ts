/** Self-test of revectorized kernels: small convolutions have the bits that the plain kernels give them, and take less time. */

import { convolveWeightsScratch, packedWeightsBytes, type KernelCall } from '../tensor/call.ts';
import { FLOAT_BYTES, contiguous, type View } from '../tensor/view.ts';
import { encodeCalls } from './encode.ts';
import { instantiate } from './instantiate.ts';

const CHANNELS = 40;
const ROWS = 22;
const EXTENT = 18;
const HALO = 1;
const PAGES = 16;

/** Two vectors at a time are worth it from here on; where the CPU cannot, the wide tiles take longer. */
const LEAST_GAIN = 1.2;
const REPETITIONS = 5;

/** V8 optimises functions after they have run for a while; one that is not faster by then stays as it is. */
const WARM_UP_MS = 400;

const STRIDE = EXTENT + 2 * HALO;
const PLANE = STRIDE * STRIDE * FLOAT_BYTES;
const INSIDE = (HALO * STRIDE + HALO) * FLOAT_BYTES;

/** Offsets in the memory; the first 64 bytes are never a tensor. */
const SOURCE = 64;
const TARGET = SOURCE + CHANNELS * PLANE;
const WEIGHTS = TARGET + ROWS * PLANE;
const PACKED = WEIGHTS + ROWS * CHANNELS * 9 * FLOAT_BYTES;
const BIAS = PACKED + packedWeightsBytes(ROWS, CHANNELS, 9);
const GRADIENT = BIAS + ROWS * FLOAT_BYTES;
const SCRATCH = Math.ceil((GRADIENT + ROWS * CHANNELS * 9 * FLOAT_BYTES) / 64) * 64;
const BLOCKS = Math.ceil((SCRATCH + convolveWeightsScratch(CHANNELS, 9)) / 64) * 64;

/** Whether `wide`, once it is optimised, computes the bits of `plain`, in less time than narrow tiles take. */
export function passesSelfTest(wide: WebAssembly.Module, plain: WebAssembly.Module): boolean {
  const trial = new Trial(wide, true);
  const narrow = new Trial(wide, false);
  const deadline = performance.now() + WARM_UP_MS;
  for (let gain = 0; gain < LEAST_GAIN;) {
    if (performance.now() > deadline) return false;
    gain = narrow.milliseconds() / trial.milliseconds();
  }
  // In mode fast, wide tiles add in another order than narrow ones: of like tiles the bits are alike.
  return agree(trial, new Trial(plain, true));
}

function agree(got: Trial, wanted: Trial): boolean {
  const same = (a: Float32Array, b: Float32Array) => a.every((value, i) => Object.is(value, b[i]));
  return same(got.target, wanted.target) && same(got.gradient, wanted.gradient);
}

/** One run of the calls over a memory of its own. */
class Trial {
  readonly target: Float32Array;
  readonly gradient: Float32Array;
  readonly #all: () => void;
  readonly #convolution: () => void;

  constructor(module: WebAssembly.Module, wide: boolean) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    const { buffer } = memory;
    const kernels = instantiate(module, memory);
    const values = new Float32Array(buffer, 0, GRADIENT / FLOAT_BYTES);
    for (let i = 0; i < values.length; i++) values[i] = ((Math.imul(i, 0x9e3779b1) >>> 8) & 0xffff) / 0x10000 - 0.5;
    const words = encodeCalls(CALLS, wide);
    new Int32Array(buffer, BLOCKS, words.length).set(words);
    const convolution = BLOCKS + encodeCalls(CALLS.slice(0, 1), wide).byteLength;
    this.#all = () => kernels.execute(BLOCKS, CALLS.length);
    this.#convolution = () => kernels.execute(convolution, 1);
    this.#all();
    this.target = new Float32Array(buffer, TARGET, (ROWS * PLANE) / FLOAT_BYTES);
    this.gradient = new Float32Array(buffer, GRADIENT, ROWS * CHANNELS * 9);
  }

  /** Some more runs. @returns the shortest time of the convolution */
  milliseconds(): number {
    const times = Array.from({ length: REPETITIONS }, () => {
      this.#all();
      const began = performance.now();
      this.#convolution();
      return performance.now() - began;
    });
    return Math.min(...times);
  }
}

function inside(offset: number, channels: number): View {
  const view = contiguous(offset, [1, channels, STRIDE, STRIDE]);
  return { ...view, offset: offset + INSIDE, extent: [1, channels, EXTENT, EXTENT] };
}

const TAP_INDEX = Array.from({ length: 9 }, (_, tap) => tap);
const TAPS = TAP_INDEX.map((tap) => ((Math.floor(tap / 3) - HALO) * STRIDE + (tap % 3) - HALO) * FLOAT_BYTES);

/** Forward with bias and activation, then the gradient of the weights from the output as its own gradient. */
const CALLS: readonly KernelCall[] = [
  {
    kind: 'packWeights',
    weights: WEIGHTS,
    packed: PACKED,
    rows: ROWS,
    columns: CHANNELS,
    rowStride: CHANNELS * 9,
    columnStride: 9,
    taps: TAP_INDEX,
  },
  {
    kind: 'convolve',
    source: inside(SOURCE, CHANNELS),
    target: inside(TARGET, ROWS),
    packed: PACKED,
    taps: TAPS,
    bias: BIAS,
    slope: 0.1,
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
];
