/** Plans of kernels that no measured rates have chosen. */

import type { Model } from '../../src/model/layers.ts';
import type { Algorithm, ConvolutionAlgorithms, KernelPlan } from '../../src/planner/plan.ts';

/** Mode `fast` with one algorithm in every pass that has it, whether it is faster or not. @param wide by rank: tiles of two vectors */
export function fastKernels(model: Model, wide: readonly boolean[], algorithm: Algorithm): KernelPlan {
  const every: ConvolutionAlgorithms = { forward: algorithm, inputGradient: algorithm, weightGradient: algorithm };
  const names = model.layers.flatMap((layer) => (layer.kind === 'conv2d' ? [layer.name] : []));
  return { mode: 'fast', wide, convolutions: Object.fromEntries(names.map((name) => [name, every])) };
}
