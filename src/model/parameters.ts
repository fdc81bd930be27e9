/** Parameters: the weight and bias tensors of a model, their names, shapes and order. */

import type { Extent } from '../tensor/box.ts';
import type { Layer, Model } from './layers.ts';
import { activationShapes, type Shape } from './shapes.ts';

/** One parameter tensor, laid out as PyTorch does: convolution OIHW, dense outputs x inputs, bias a vector. */
export interface ParameterTensor {
  /** `<layer>.weight` or `<layer>.bias`: the key in checkpoints, and in PyTorch's state_dict of modules of the same names. */
  readonly name: string;
  /** Index of its layer in the model. */
  readonly layer: number;
  readonly role: 'weight' | 'bias';
  /** The tensor's own axes: 4 for a convolution's weights, 2 for a dense layer's, 1 for a bias. */
  readonly shape: readonly number[];
  /** The shape on four axes, missing ones 1. */
  readonly extent: Extent;
  /** Values that one output is a sum of; bounds the initial weights. */
  readonly fanIn: number;
}

/** Float32 values of one tensor, row-major over the tensor's own axes. */
export interface TensorValues {
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/**
 * Every parameter tensor in layer order, the weight before the bias.
 * @throws {InputError} `shapeMismatch` where the model does not fit together
 */
export function parameterTensors(model: Model): readonly ParameterTensor[] {
  const shapes = activationShapes(model);
  return model.layers.flatMap((layer, index) => layerParameters(layer, index, shapes[index]!));
}

function layerParameters(layer: Layer, index: number, input: Shape): readonly ParameterTensor[] {
  switch (layer.kind) {
    case 'conv2d':
      return weightAndBias(layer.name, index, [
        layer.filters,
        input[0] / (layer.groups ?? 1),
        layer.kernel,
        layer.kernel,
      ]);
    case 'dense':
      return weightAndBias(layer.name, index, [layer.units, input[0]]);
    case 'maxPool':
    case 'flatten':
      return [];
  }
}

function weightAndBias(name: string, layer: number, shape: readonly number[]): readonly ParameterTensor[] {
  const [outputs = 1, ...inputs] = shape;
  const fanIn = inputs.reduce((product, extent) => product * extent, 1);
  return [
    { name: `${name}.weight`, layer, role: 'weight', shape, extent: onFourAxes(shape), fanIn },
    { name: `${name}.bias`, layer, role: 'bias', shape: [outputs], extent: onFourAxes([outputs]), fanIn },
  ];
}

function onFourAxes(shape: readonly number[]): Extent {
  return [shape[0] ?? 1, shape[1] ?? 1, shape[2] ?? 1, shape[3] ?? 1];
}
