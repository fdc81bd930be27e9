/** One kernel call over memory, in plain TypeScript: sums in float64, results in float32. The measure of every faster kernel. */

import type { KernelCall } from '../../tensor/call.ts';
import type { CallOf } from '../per-call.ts';
import { activationBackward } from './activation.ts';
import { checksum } from './checksum.ts';
import { convolve, convolveWeights, packWeights, sumPlanes } from './convolution.ts';
import { convolveDepthwise, convolveDepthwiseWeights } from './depthwise.ts';
import { dense, denseInput, denseWeights } from './dense.ts';
import { meanSquares, softmaxCrossEntropy } from './loss.ts';
import type { Memory } from './memory.ts';
import { add, clearBorder, copy, pack, pixels, zero } from './move.ts';
import { sgd } from './optimizer.ts';
import { maxPool, maxPoolBackward } from './pooling.ts';
import { convolveWinogradWeights } from './winograd-weights.ts';
import { convolveWinograd, transformWeights } from './winograd.ts';

type Kernels = { readonly [Kind in KernelCall['kind']]: (memory: Memory, call: CallOf<Kind>) => void };

const KERNELS: Kernels = {
  zero,
  clearBorder,
  copy,
  add,
  pack,
  pixels,
  packWeights,
  convolve,
  convolveWeights,
  sumPlanes,
  activationBackward,
  maxPool,
  maxPoolBackward,
  dense,
  denseInput,
  denseWeights,
  softmaxCrossEntropy,
  meanSquares,
  sgd,
  checksum,
  convolveDepthwise,
  convolveDepthwiseWeights,
  transformWeights,
  convolveWinograd,
  convolveWinogradWeights,
};

/** Executes one call. */
export function execute(memory: Memory, call: KernelCall): void {
  const kernel = KERNELS[call.kind] as (memory: Memory, call: KernelCall) => void;
  kernel(memory, call);
}
