/** Models that a job can name instead of writing out their layers. */

import { InputError } from '../errors.ts';
import type { Activation, Conv2d, Layer, Model } from './layers.ts';

const RELU: Activation = { kind: 'relu' };
const LEAKY: Activation = { kind: 'leakyRelu', slope: 0.1 };
const IDENTITY: Activation = { kind: 'identity' };
const POOL: Layer = { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 };

/** Rows and columns of an image. */
export type ImageSize = readonly [rows: number, columns: number];

/** LeNet-5 for 28x28 grey digits, with maximum pooling and ReLU: 61,706 parameters (after LeCun et al., 1998, section II.B). */
const LENET5: Model = {
  name: 'lenet5',
  input: [1, 28, 28],
  layers: [
    { kind: 'conv2d', name: 'conv1', filters: 6, kernel: 5, stride: 1, padding: 2, activation: RELU },
    POOL,
    { kind: 'conv2d', name: 'conv2', filters: 16, kernel: 5, stride: 1, padding: 0, activation: RELU },
    POOL,
    { kind: 'flatten' },
    { kind: 'dense', name: 'fc1', units: 120, activation: RELU },
    { kind: 'dense', name: 'fc2', units: 84, activation: RELU },
    { kind: 'dense', name: 'fc3', units: 10, activation: IDENTITY },
  ],
  loss: 'softmaxCrossEntropy',
};

/**
 * Layers 0 to 15 of YOLOv2 without batch normalisation, 3.4 million parameters (after Redmon and Farhadi, arXiv 1612.08242): the part that is worth
 * cutting into tiles. The loss stands in for that of the layers behind.
 */
const YOLOV2_FRONT: Model = {
  name: 'yolov2-front',
  input: [3, 416, 416],
  layers: [
    leaky(1, 32, 3),
    POOL,
    leaky(2, 64, 3),
    POOL,
    leaky(3, 128, 3),
    leaky(4, 64, 1),
    leaky(5, 128, 3),
    POOL,
    leaky(6, 256, 3),
    leaky(7, 128, 1),
    leaky(8, 256, 3),
    POOL,
    leaky(9, 512, 3),
    leaky(10, 256, 1),
    leaky(11, 512, 3),
    leaky(12, 256, 1),
  ],
  loss: 'meanSquares',
};

/** The n-th convolution of YOLOv2, which keeps rows and columns. */
function leaky(n: number, filters: number, kernel: number): Conv2d {
  return {
    kind: 'conv2d',
    name: `conv${n}`,
    filters,
    kernel,
    stride: 1,
    padding: (kernel - 1) / 2,
    activation: LEAKY,
  };
}

const ZOO: ReadonlyMap<string, Model> = new Map([LENET5, YOLOV2_FRONT].map((model) => [model.name, model]));

/** Names that are promised, so that asking for them is not called a mistake. */
const STILL_TO_COME: ReadonlySet<string> = new Set(['camera-small']);

/** Names of the models that {@link zooModel} knows. */
export function zooNames(): readonly string[] {
  return [...ZOO.keys()];
}

/**
 * @param size of the images, for a model that takes any: one without dense layers. Others keep their own, as do all where it is undefined
 * @throws {InputError} `unknownModel`, or `stillToCome` for one that is promised; both list what there is
 */
export function zooModel(name: string, size?: ImageSize): Model {
  const model = ZOO.get(name);
  if (model !== undefined) {
    const fixed = size === undefined || model.layers.some(({ kind }) => kind === 'dense');
    return fixed ? model : { ...model, input: [model.input[0], ...size] };
  }
  const today = `today: ${zooNames().join(', ')}, or a model written out as {input, loss, layers}`;
  if (STILL_TO_COME.has(name)) {
    throw new InputError('stillToCome', `the model "${name}" is still to come; ${today}`);
  }
  throw new InputError('unknownModel', `got the model "${name}", which is not known; ${today}`);
}
