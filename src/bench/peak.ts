/** The peak: what one core can do with f32x4 multiplications and additions in registers. Shares are shares of it, measured in the same run. */

import type { Kernels } from '../kernels/instantiate.ts';

const ITERATIONS = 300_000;

/** Where the sums come from and go to, in any memory: 1 KiB that nobody uses. */
const WORKING_OFFSET = 64;

/** GFLOP/s of multiply-add in registers, in the calling thread: the best of a few, the first ones warm up. */
export function measurePeak(kernels: Kernels, wide = false): number {
  const peak = wide ? kernels.multiplyAddPeakWide : kernels.multiplyAddPeak;
  const rates = Array.from({ length: 8 }, () => {
    const began = performance.now();
    peak(WORKING_OFFSET, ITERATIONS, 0.999, 1e-3);
    return (kernels.multiplyAddFlops(wide) * ITERATIONS) / (performance.now() - began) / 1e6;
  });
  return Math.max(...rates);
}
