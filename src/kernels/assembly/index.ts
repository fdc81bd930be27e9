/**
 * Kernels over one shared memory. Each takes the address of its parameter block; {@link execute} runs a list of them, so that a
 * whole submission is one call into WebAssembly:
 *
 *     opcode, bytes of the block, 0, 0, block ... | opcode, bytes of the block, 0, 0, block ... |
 */

import { activationBackward } from './activation';
import { checksum } from './checksum';
import { convolve } from './convolve';
import { convolveWeights } from './convolve-weights';
import { convolveWinogradWeights } from './convolve-winograd-weights';
import { convolveDepthwise } from './depthwise';
import { convolveDepthwiseWeights } from './depthwise-weights';
import { dense, denseInput, denseWeights } from './dense';
import { meanSquares, softmaxCrossEntropy } from './loss';
import { add, clearBorder, copy, pack, pixels, zero } from './move';
import { sgd } from './optimizer';
import { packWeights } from './pack-weights';
import { maxPool } from './pooling';
import { maxPoolBackward } from './pooling-backward';
import { sumPlanes } from './sum-planes';
import { convolveWinograd } from './winograd';
import { transformWeights } from './winograd-weights';

export { multiplyAddFlops, multiplyAddPeak, multiplyAddPeakWide } from './generated/peak';

/** Bytes before each block. */
const HEAD_BYTES: usize = 16;

/** The layout of parameter blocks that this build understands; src/kernels/loader.ts has the same number. */
export function blockVersion(): i32 {
  return 16;
}

/** Executes `count` calls that are encoded one after the other at `at`. Traps at an opcode that does not exist. */
export function execute(at: usize, count: i32): void {
  for (; count != 0; count--) {
    call(load<i32>(at), at + HEAD_BYTES);
    at += HEAD_BYTES + load<usize>(at, 4);
  }
}

function call(opcode: i32, block: usize): void {
  switch (opcode) {
    case 1: return zero(block);
    case 2: return clearBorder(block);
    case 3: return copy(block);
    case 4: return add(block);
    case 5: return pack(block);
    case 6: return pixels(block);
    case 7: return packWeights(block);
    case 8: return convolve(block);
    case 9: return convolveWeights(block);
    case 10: return sumPlanes(block);
    case 11: return activationBackward(block);
    case 12: return maxPool(block);
    case 13: return maxPoolBackward(block);
    case 14: return dense(block);
    case 15: return denseInput(block);
    case 16: return denseWeights(block);
    case 17: return softmaxCrossEntropy(block);
    case 18: return meanSquares(block);
    case 19: return sgd(block);
    case 20: return checksum(block);
    case 21: return convolveDepthwise(block);
    case 22: return convolveDepthwiseWeights(block);
    case 23: return transformWeights(block);
    case 24: return convolveWinograd(block);
    case 25: return convolveWinogradWeights(block);
    default: unreachable();
  }
}
