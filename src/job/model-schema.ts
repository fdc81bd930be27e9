/** The model of a job file: a name from the zoo, or layers written out. Short forms are filled in here. */

import * as v from 'valibot';
import {
  windowReach,
  type Activation,
  type Conv2d,
  type Dense,
  type Flatten,
  type Layer,
  type LossKind,
  type MaxPool,
  type Model,
} from '../model/layers.ts';
import { zooModel, zooNames, type ImageSize } from '../model/zoo.ts';
import { choose, list, naming, object, real, refuse, text, whole, type Schema } from './schema.ts';
import { nearest } from './suggest.ts';

/** Slope of leaky ReLU where the job says none (YOLO's). */
const LEAKY_SLOPE = 0.1;

const LARGEST_KERNEL = 15;
const LARGEST_DILATION = 16;

const layerName = text('a name of 1 to 32 letters, digits, hyphens or underscores', /^[A-Za-z0-9_-]{1,32}$/);

const activation: Schema<Activation> = choose('relu, leakyRelu or {leakyRelu: {slope: 0.1}}', (input) => {
  if (input === 'relu' || input === 'leakyRelu') {
    return v.pipe(
      v.unknown(),
      v.transform((): Activation => (input === 'relu' ? { kind: 'relu' } : { kind: 'leakyRelu', slope: LEAKY_SLOPE })),
    );
  }
  if (isBlock(input) && 'leakyRelu' in input) {
    const slope = real('a slope above 0 and below 1', (value) => value > 0 && value < 1);
    return v.pipe(
      object({ leakyRelu: object({ slope: v.optional(slope, LEAKY_SLOPE) }) }),
      v.transform(({ leakyRelu }): Activation => ({ kind: 'leakyRelu', slope: leakyRelu.slope })),
    );
  }
  return refuse('relu, leakyRelu or {leakyRelu: {slope: 0.1}}');
});

const conv2d: Schema<Conv2d> = v.pipe(
  object({
    name: layerName,
    filters: whole(1, 65_536),
    kernel: whole(1, LARGEST_KERNEL),
    stride: v.optional(whole(1, LARGEST_KERNEL), 1),
    padding: v.optional(whole(0, LARGEST_DILATION * LARGEST_KERNEL), 0),
    dilation: v.optional(whole(1, LARGEST_DILATION), 1),
    groups: v.optional(whole(1, 65_536), 1),
    activation: v.optional(activation),
  }),
  v.forward(
    v.check(
      (window) => window.padding < windowReach(window),
      ({ input }) =>
        `a padding smaller than the kernel${input.dilation > 1 ? `, which spans ${windowReach(input)}` : ''}`,
    ),
    ['padding'],
  ),
  v.forward(
    v.check(({ filters, groups }) => filters % groups === 0, 'a number that divides the filters'),
    ['groups'],
  ),
  v.transform(({ activation: given, dilation, groups, ...rest }): Conv2d => ({
    kind: 'conv2d',
    ...rest,
    ...(dilation > 1 && { dilation }),
    ...(groups > 1 && { groups }),
    activation: given ?? { kind: 'identity' },
  })),
);

const maxPool: Schema<MaxPool> = v.pipe(
  object({
    kernel: whole(1, LARGEST_KERNEL),
    stride: v.optional(whole(1, LARGEST_KERNEL)),
    padding: v.optional(whole(0, LARGEST_KERNEL), 0),
  }),
  v.forward(
    v.check(({ kernel, padding }) => padding <= kernel / 2, 'a padding of at most half the kernel'),
    ['padding'],
  ),
  v.transform(({ kernel, stride, padding }): MaxPool => ({
    kind: 'maxPool',
    kernel,
    stride: stride ?? kernel,
    padding,
  })),
);

const flatten: Schema<Flatten> = v.pipe(
  object({}),
  v.transform((): Flatten => ({ kind: 'flatten' })),
);

const dense: Schema<Dense> = v.pipe(
  object({ name: layerName, units: whole(1, 65_536), activation: v.optional(activation) }),
  v.transform(({ activation: given, ...rest }): Dense => ({
    kind: 'dense',
    ...rest,
    activation: given ?? { kind: 'identity' },
  })),
);

const LAYERS: Readonly<Record<string, Schema<Layer>>> = { conv2d, maxPool, flatten, dense };
const LAYER_WANT = 'one layer, e.g. {maxPool: {kernel: 2}}';

/** A block of one key, the layer's kind; more keys or an unknown one are reported by the strict object. */
const layer: Schema<Layer> = choose(LAYER_WANT, (input) => {
  if (!isBlock(input) || Object.keys(input).length === 0) {
    return refuse(LAYER_WANT);
  }
  const known = Object.keys(input).find((key) => Object.hasOwn(LAYERS, key));
  if (known === undefined) {
    const [kind] = Object.keys(input) as [string];
    const meant = nearest(kind, Object.keys(LAYERS));
    return refuse(
      `is no layer that we know: ${kind}${meant ? `; did you mean ${meant}` : ''}; there are ${Object.keys(LAYERS).join(', ')}`,
    );
  }
  return v.pipe(
    object({ [known]: LAYERS[known]! }),
    v.transform((block): Layer => block[known]!),
  );
});

const loss: Schema<LossKind> = v.picklist(['softmaxCrossEntropy', 'meanSquares'], 'softmaxCrossEntropy or meanSquares');

const layers: Schema<Layer[]> = v.pipe(
  list(layer, 'a list of layers', { min: 1 }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) {
      return;
    }
    const seen = new Map<string, number>();
    dataset.value.forEach((one, index) => {
      if (!('name' in one)) {
        return;
      }
      const first = seen.get(one.name);
      if (first !== undefined) {
        addIssue({
          message: `is not unique: layer ${index} and layer ${first} are both named ${one.name}, and checkpoints go by name`,
        });
      }
      seen.set(one.name, index);
    });
  }),
);

/** The model of a job for images of a size, where the job's data say one: models of the zoo may take any, one that is written out has its own. */
type ModelOf = (size: ImageSize | undefined) => Model;

const writtenOut: Schema<ModelOf> = v.pipe(
  object({
    name: v.optional(layerName, 'custom'),
    input: list(whole(1, 65_536), '[channels, rows, columns]', { length: 3 }),
    loss,
    layers,
  }),
  v.transform(({ input, ...rest }): ModelOf => () => ({ ...rest, input: [input[0]!, input[1]!, input[2]!] })),
);

const byName: Schema<ModelOf> = v.pipe(
  v.string(),
  v.transform((name): ModelOf => {
    naming('model', () => zooModel(name));
    return (size) => zooModel(name, size);
  }),
);

/** The whole `model` key. Throws what `zooModel` throws. */
export const modelSchema: Schema<ModelOf> = choose(`${zooNames().join(' or ')}, or {input, loss, layers}`, (input) =>
  typeof input === 'string' ? byName : writtenOut,
);

function isBlock(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}
