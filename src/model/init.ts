/** Initial parameters: the same bits on every machine and for every plan, because each tensor is drawn from a seed of its own. */

import { deriveSeed, uniform } from '../tensor/random.ts';
import type { Model } from './layers.ts';
import { parameterTensors, type TensorValues } from './parameters.ts';

/**
 * He-uniform weights, in [-b, b) with b = sqrt(6 / fanIn), and zero biases (He et al., "Delving Deep into Rectifiers",
 * arXiv 1502.01852, section 2.2).
 * @returns tensors by name, in the order of {@link parameterTensors}
 * @throws {InputError} `shapeMismatch` where the model does not fit together
 */
export function initialParameters(model: Model, seed: number): Map<string, TensorValues> {
  const tensors = new Map<string, TensorValues>();
  for (const { name, role, shape, fanIn } of parameterTensors(model)) {
    const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
    if (role === 'weight') {
      uniform(values, Math.sqrt(6 / fanIn), deriveSeed(seed, name));
    }
    tensors.set(name, { shape, values });
  }
  return tensors;
}
