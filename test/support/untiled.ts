/**
 * The truth: a network trained on one machine in float64, written from the definitions, with one loop per index and no boxes, tiles,
 * stages or kernels. It shares nothing with the program under test but the description of the layers.
 */

import type { Activation, Conv2d, Dense, Layer, MaxPool, Model } from '../../src/model/layers.ts';

/** Maps of one sample, row-major; a vector is so many maps of one pixel. */
export interface Maps {
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** Tensors by parameter name, row-major as PyTorch lays them out. */
export type Parameters = Map<string, Float64Array>;

export interface UntiledSample {
  readonly image: Maps;
  readonly label: number;
}

export interface UntiledStep {
  readonly loss: number;
  readonly correct: number;
  readonly gradients: Parameters;
}

export interface UntiledOptimizer {
  readonly rate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

/** Loss over the batch, and the gradient of every parameter. */
export function untiledStep(model: Model, parameters: Parameters, samples: readonly UntiledSample[]): UntiledStep {
  const gradients: Parameters = new Map(
    [...parameters].map(([name, values]) => [name, new Float64Array(values.length)]),
  );
  let loss = 0;
  let correct = 0;
  for (const { image, label } of samples) {
    const maps = [image];
    for (const layer of model.layers) maps.push(forward(layer, maps.at(-1)!, parameters));
    const end = lossOf(model, maps.at(-1)!, label, samples.length);
    loss += end.loss;
    correct += end.correct;
    let { gradient } = end;
    for (let l = model.layers.length - 1; l >= 0; l--) {
      const pass = { input: maps[l]!, output: maps[l + 1]!, gradient };
      gradient = backward(model.layers[l]!, pass, parameters, gradients);
    }
  }
  return { loss, correct, gradients };
}

/** SGD as PyTorch writes it: g += decay·w; m = momentum·m + g; w -= rate·m. `velocity` begins empty. */
export function untiledUpdate(
  parameters: Parameters,
  gradients: Parameters,
  velocity: Parameters,
  { rate, momentum, weightDecay }: UntiledOptimizer,
): void {
  for (const [name, weights] of parameters) {
    const kept = velocity.get(name) ?? new Float64Array(weights.length);
    velocity.set(name, kept);
    for (let i = 0; i < weights.length; i++) {
      kept[i] = momentum * kept[i]! + gradients.get(name)![i]! + weightDecay * weights[i]!;
      weights[i]! -= rate * kept[i]!;
    }
  }
}

interface Pass {
  readonly input: Maps;
  readonly output: Maps;
  /** Gradient of the output. */
  readonly gradient: Maps;
}

function forward(layer: Layer, input: Maps, parameters: Parameters): Maps {
  switch (layer.kind) {
    case 'conv2d':
      return activated(layer.activation, convolve(layer, input, parameters));
    case 'maxPool':
      return pool(layer, input);
    case 'flatten':
      return vector(input.values);
    case 'dense':
      return activated(layer.activation, dense(layer, input, parameters));
  }
}

/** @returns the gradient of the input; those of the layer's parameters are added to `gradients` */
function backward(layer: Layer, pass: Pass, parameters: Parameters, gradients: Parameters): Maps {
  switch (layer.kind) {
    case 'conv2d':
      return convolveBackward(layer, derived(layer.activation, pass), parameters, gradients);
    case 'maxPool':
      return poolBackward(layer, pass);
    case 'flatten':
      return { ...pass.input, values: pass.gradient.values };
    case 'dense':
      return denseBackward(layer, derived(layer.activation, pass), parameters, gradients);
  }
}

function zeros(channels: number, rows: number, columns: number): Maps {
  return { channels, rows, columns, values: new Float64Array(channels * rows * columns) };
}

function vector(values: Float64Array): Maps {
  return { channels: values.length, rows: 1, columns: 1, values };
}

function index({ rows, columns }: Maps, channel: number, row: number, column: number): number {
  return (channel * rows + row) * columns + column;
}

function inside({ rows, columns }: Maps, row: number, column: number): boolean {
  return row >= 0 && row < rows && column >= 0 && column < columns;
}

/** How often a window fits, moved by `stride` at a time. */
function places(extent: number, layer: Conv2d | MaxPool): number {
  const { kernel, stride, padding } = layer;
  const distance = layer.kind === 'conv2d' ? (layer.dilation ?? 1) : 1;
  let count = 0;
  for (let start = -padding; start + (kernel - 1) * distance < extent + padding; start += stride) count++;
  return count;
}

function slopeAt(activation: Activation, value: number): number {
  if (activation.kind === 'identity' || value > 0) return 1;
  return activation.kind === 'relu' ? 0 : activation.slope;
}

function activated(activation: Activation, maps: Maps): Maps {
  return { ...maps, values: maps.values.map((value) => value * slopeAt(activation, value)) };
}

/** The pass with the gradient of what the activation was applied to. Its sign is that of the output. */
function derived(activation: Activation, pass: Pass): Pass {
  const { output, gradient } = pass;
  const values = gradient.values.map((value, i) => value * slopeAt(activation, output.values[i]!));
  return { ...pass, gradient: { ...gradient, values } };
}

/** Visits every product of a convolution that is not with padding: positions of output, input and weight. */
function eachProduct(
  layer: Conv2d,
  input: Maps,
  output: Maps,
  visit: (output: number, input: number, weight: number) => void,
): void {
  const { kernel, stride, padding, dilation = 1, groups = 1 } = layer;
  const [perGroup, inputs] = [output.channels / groups, input.channels / groups];
  for (let o = 0; o < output.channels; o++)
    for (let y = 0; y < output.rows; y++)
      for (let x = 0; x < output.columns; x++)
        for (let i = 0; i < inputs; i++)
          for (let u = 0; u < kernel; u++)
            for (let v = 0; v < kernel; v++) {
              const [row, column] = [y * stride - padding + u * dilation, x * stride - padding + v * dilation];
              if (!inside(input, row, column)) continue;
              const weight = ((o * inputs + i) * kernel + u) * kernel + v;
              const channel = Math.floor(o / perGroup) * inputs + i;
              visit(index(output, o, y, x), index(input, channel, row, column), weight);
            }
}

function convolve(layer: Conv2d, input: Maps, parameters: Parameters): Maps {
  const weights = parameters.get(`${layer.name}.weight`)!;
  const biases = parameters.get(`${layer.name}.bias`)!;
  const output = zeros(layer.filters, places(input.rows, layer), places(input.columns, layer));
  for (let o = 0; o < output.channels; o++)
    output.values.fill(biases[o]!, index(output, o, 0, 0), index(output, o + 1, 0, 0));
  eachProduct(layer, input, output, (to, from, weight) => {
    output.values[to]! += weights[weight]! * input.values[from]!;
  });
  return output;
}

function convolveBackward(layer: Conv2d, pass: Pass, parameters: Parameters, gradients: Parameters): Maps {
  const { input, gradient } = pass;
  const weights = parameters.get(`${layer.name}.weight`)!;
  const weightGradient = gradients.get(`${layer.name}.weight`)!;
  const biasGradient = gradients.get(`${layer.name}.bias`)!;
  const result = zeros(input.channels, input.rows, input.columns);
  gradient.values.forEach((value, i) => (biasGradient[Math.floor(i / (gradient.rows * gradient.columns))]! += value));
  eachProduct(layer, input, gradient, (to, from, weight) => {
    weightGradient[weight]! += gradient.values[to]! * input.values[from]!;
    result.values[from]! += gradient.values[to]! * weights[weight]!;
  });
  return result;
}

/** For each output of a pooling, the position of the first largest value in its window. */
function winners({ kernel, stride, padding }: MaxPool, input: Maps, output: Maps): number[] {
  const found: number[] = [];
  for (let c = 0; c < output.channels; c++)
    for (let y = 0; y < output.rows; y++)
      for (let x = 0; x < output.columns; x++) {
        let best = -1;
        for (let u = 0; u < kernel; u++)
          for (let v = 0; v < kernel; v++) {
            const [row, column] = [y * stride - padding + u, x * stride - padding + v];
            if (!inside(input, row, column)) continue;
            const candidate = index(input, c, row, column);
            if (best < 0 || input.values[candidate]! > input.values[best]!) best = candidate;
          }
        found.push(best);
      }
  return found;
}

function pool(layer: MaxPool, input: Maps): Maps {
  const output = zeros(input.channels, places(input.rows, layer), places(input.columns, layer));
  winners(layer, input, output).forEach((winner, i) => (output.values[i] = input.values[winner]!));
  return output;
}

function poolBackward(layer: MaxPool, { input, output, gradient }: Pass): Maps {
  const result = zeros(input.channels, input.rows, input.columns);
  winners(layer, input, output).forEach((winner, i) => (result.values[winner]! += gradient.values[i]!));
  return result;
}

function dense(layer: Dense, input: Maps, parameters: Parameters): Maps {
  const weights = parameters.get(`${layer.name}.weight`)!;
  const inputs = input.values.length;
  const sums = parameters.get(`${layer.name}.bias`)!.slice();
  for (let o = 0; o < layer.units; o++)
    for (let i = 0; i < inputs; i++) sums[o]! += weights[o * inputs + i]! * input.values[i]!;
  return vector(sums);
}

function denseBackward(layer: Dense, { input, gradient }: Pass, parameters: Parameters, gradients: Parameters): Maps {
  const weights = parameters.get(`${layer.name}.weight`)!;
  const weightGradient = gradients.get(`${layer.name}.weight`)!;
  const biasGradient = gradients.get(`${layer.name}.bias`)!;
  const inputs = input.values.length;
  const result = new Float64Array(inputs);
  gradient.values.forEach((value, o) => {
    biasGradient[o]! += value;
    for (let i = 0; i < inputs; i++) {
      weightGradient[o * inputs + i]! += value * input.values[i]!;
      result[i]! += value * weights[o * inputs + i]!;
    }
  });
  return vector(result);
}

interface LossPart {
  readonly loss: number;
  readonly correct: number;
  readonly gradient: Maps;
}

/** One sample's part of the loss of a batch of `samples`. */
function lossOf(model: Model, output: Maps, label: number, samples: number): LossPart {
  const { values } = output;
  if (model.loss === 'meanSquares') {
    const count = samples * values.length;
    const loss = values.reduce((sum, value) => sum + value ** 2, 0) / count;
    return { loss, correct: 0, gradient: { ...output, values: values.map((value) => (2 * value) / count) } };
  }
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const gradient = powers.map((power, o) => (power / total - (o === label ? 1 : 0)) / samples);
  return {
    loss: -Math.log(powers[label]! / total) / samples,
    correct: values.indexOf(highest) === label ? 1 : 0,
    gradient: { ...output, values: gradient },
  };
}
