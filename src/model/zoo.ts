/** Models that a job can name instead of writing out their layers. */

import { InputError } from '../errors.ts';
import type { Activation, Layer, Model } from './layers.ts';

const RELU: Activation = { kind: 'relu' };
const IDENTITY: Activation = { kind: 'identity' };
const POOL: Layer = { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 };

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

const ZOO: ReadonlyMap<string, Model> = new Map([[LENET5.name, LENET5]]);

/** Names that are promised, so that asking for them is not called a mistake. */
const STILL_TO_COME: ReadonlySet<string> = new Set(['camera-small', 'yolov2-front']);

/** Names of the models that {@link zooModel} knows. */
export function zooNames(): readonly string[] {
  return [...ZOO.keys()];
}

/** @throws {InputError} `unknownModel`, or `stillToCome` for one that is promised; both list what there is */
export function zooModel(name: string): Model {
  const model = ZOO.get(name);
  if (model !== undefined) {
    return model;
  }
  const today = `today: ${zooNames().join(', ')}, or a model written out as {input, loss, layers}`;
  if (STILL_TO_COME.has(name)) {
    throw new InputError('stillToCome', `the model "${name}" is still to come; ${today}`);
  }
  throw new InputError('unknownModel', `got the model "${name}", which is not known; ${today}`);
}
