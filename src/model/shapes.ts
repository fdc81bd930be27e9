/** Shapes: what each layer makes of its input, and where a model does not fit together. */

import { InputError } from '../errors.ts';
import { windowReach, type Conv2d, type Layer, type Model } from './layers.ts';

/** Channels, rows and columns of one sample; a vector is `[length, 1, 1]`. */
export type Shape = readonly [channels: number, rows: number, columns: number];

/**
 * Shapes of every activation of a model, one image each: entry 0 is the input, entry i + 1 the output of layer i.
 * @throws {InputError} `shapeMismatch` naming the layer, what it got and what it wants
 */
export function activationShapes(model: Model): readonly Shape[] {
  const shapes: Shape[] = [model.input];
  model.layers.forEach((layer, index) => shapes.push(outputShape(layer, shapes[index]!, index)));
  checkLoss(model, shapes.at(-1)!);
  return shapes;
}

/** Output extent of a window that reaches over `reach` cells on one axis: floor((extent + 2·padding - reach) / stride) + 1. */
export function windowOutputs(extent: number, reach: number, stride: number, padding: number): number {
  return Math.floor((extent + 2 * padding - reach) / stride) + 1;
}

/** Whether a layer still has rows and columns, so that its output can be cut into tiles. */
export function isSpatial(layer: Layer): boolean {
  return layer.kind === 'conv2d' || layer.kind === 'maxPool';
}

function outputShape(layer: Layer, input: Shape, index: number): Shape {
  const [channels, rows, columns] = input;
  switch (layer.kind) {
    case 'conv2d':
    case 'maxPool': {
      const reach = windowReach(layer);
      const h = windowOutputs(rows, reach, layer.stride, layer.padding);
      const w = windowOutputs(columns, reach, layer.stride, layer.padding);
      if (h < 1 || w < 1) {
        throw misfit(index, layer, `a ${reach}x${reach} window`, `an input of only ${rows}x${columns} pixels`);
      }
      if (layer.kind === 'conv2d') checkGroups(layer, channels, index);
      return [layer.kind === 'conv2d' ? layer.filters : channels, h, w];
    }
    case 'flatten':
      return [channels * rows * columns, 1, 1];
    case 'dense':
      if (rows !== 1 || columns !== 1) {
        throw misfit(index, layer, 'a vector', `${channels}x${rows}x${columns}; put a flatten layer before it`);
      }
      return [layer.units, 1, 1];
  }
}

function checkGroups(layer: Conv2d, inputs: number, index: number): void {
  const { filters, groups = 1 } = layer;
  if (inputs % groups === 0 && filters % groups === 0) return;
  const wants = `a number that divides its ${inputs} input channels and ${filters} filters`;
  throw misfit(index, layer, wants, String(groups), '.groups');
}

function checkLoss(model: Model, output: Shape): void {
  if (model.loss === 'softmaxCrossEntropy' && (output[1] !== 1 || output[2] !== 1)) {
    throw new InputError(
      'shapeMismatch',
      `model.loss: softmaxCrossEntropy wants one score per class, got an output of ${output.join('x')}; end with flatten and dense, or use meanSquares`,
    );
  }
}

function misfit(index: number, layer: Layer, wants: string, got: string, key = ''): InputError {
  const name = 'name' in layer ? ` (${layer.name})` : '';
  return new InputError(
    'shapeMismatch',
    `model.layers[${index}].${layer.kind}${key}${name}: wants ${wants}, got ${got}`,
  );
}
