/** Networks of sizes, strides and paddings that do not come out even, for tests of exactness. */

import type { Activation, Conv2d, Layer, Model } from '../../src/model/layers.ts';
import type { PlanRequest } from '../../src/planner/plan.ts';

const RELU: Activation = { kind: 'relu' };
const LEAKY: Activation = { kind: 'leakyRelu', slope: 0.125 };
const IDENTITY: Activation = { kind: 'identity' };

type Spread = Pick<Conv2d, 'dilation' | 'groups'>;
type Square = readonly [kernel: number, stride: number, padding: number];

function conv(name: string, filters: number, [kernel, stride, padding]: Square, activation: Activation): Conv2d {
  return { kind: 'conv2d', name, filters, kernel, stride, padding, activation };
}

function spread(layer: Conv2d, spreading: Spread): Layer {
  return { ...layer, ...spreading };
}

function pool([kernel, stride, padding]: Square): Layer {
  return { kind: 'maxPool', kernel, stride, padding };
}

export interface Odd {
  readonly what: string;
  readonly model: Model;
  /** Rate and order of samples with which no rounding difference flips a ReLU or a pooling maximum within 20 steps. */
  readonly rate: number;
  readonly seed: number;
  readonly byHand: PlanRequest;
}

/** By hand, each for three devices. */
export const ODD: readonly Odd[] = [
  {
    what: 'strides 2 and 3 on an odd image, with a 1x1 convolution and a dense head',
    model: {
      name: 'strided',
      input: [3, 31, 27],
      layers: [
        conv('c1', 5, [5, 2, 2], LEAKY),
        conv('c2', 6, [3, 3, 1], RELU),
        conv('c3', 7, [1, 1, 0], LEAKY),
        { kind: 'flatten' },
        { kind: 'dense', name: 'd1', units: 4, activation: IDENTITY },
      ],
      loss: 'softmaxCrossEntropy',
    },
    rate: 0.02,
    seed: 1,
    byHand: {
      stages: [
        { layers: [0, 1], partition: 'samples' },
        { layers: [1, 3], partition: 'tiles', grid: [1, 3] },
        { layers: [3, 5], partition: 'single' },
      ],
    },
  },
  {
    what: 'overlapping and padded poolings, paddings beyond half the kernel, and the mean of squares of feature maps',
    model: {
      name: 'overlapping',
      input: [2, 17, 21],
      layers: [
        conv('c1', 5, [3, 1, 2], RELU),
        pool([3, 2, 1]),
        conv('c2', 4, [4, 1, 3], LEAKY),
        pool([3, 1, 0]),
        conv('c3', 3, [2, 3, 1], IDENTITY),
      ],
      loss: 'meanSquares',
    },
    rate: 0.05,
    seed: 1,
    byHand: {
      stages: [
        { layers: [0, 2], partition: 'tiles', grid: [3, 1] },
        { layers: [2, 3], partition: 'single' },
        { layers: [3, 4], partition: 'samples' },
        { layers: [4, 5], partition: 'tiles', grid: [1, 3] },
      ],
    },
  },
  {
    what: 'a pooling first, strides larger than the kernel, and gaps that no window looks at',
    model: {
      name: 'gaps',
      input: [1, 26, 29],
      layers: [
        pool([2, 1, 1]),
        conv('c1', 4, [2, 3, 1], LEAKY),
        conv('c2', 6, [3, 1, 1], RELU),
        pool([2, 3, 0]),
        { kind: 'flatten' },
        { kind: 'dense', name: 'd1', units: 9, activation: RELU },
        { kind: 'dense', name: 'd2', units: 3, activation: IDENTITY },
      ],
      loss: 'softmaxCrossEntropy',
    },
    rate: 0.02,
    seed: 1,
    byHand: {
      stages: [
        { layers: [0, 1], partition: 'tiles', grid: [3, 1] },
        { layers: [1, 4], partition: 'tiles', grid: [1, 3] },
        { layers: [4, 7], partition: 'samples' },
      ],
    },
  },
  {
    what: 'dilated, grouped and depthwise convolutions',
    model: {
      name: 'grouped',
      input: [4, 23, 26],
      layers: [
        spread(conv('c1', 6, [3, 1, 2], LEAKY), { dilation: 2, groups: 2 }),
        spread(conv('c2', 6, [3, 2, 1], LEAKY), { groups: 6 }),
        pool([2, 2, 0]),
        spread(conv('c3', 8, [3, 2, 3], RELU), { dilation: 3, groups: 2 }),
        spread(conv('c4', 8, [5, 1, 4], LEAKY), { dilation: 2, groups: 8 }),
        { kind: 'flatten' },
        { kind: 'dense', name: 'd1', units: 5, activation: IDENTITY },
      ],
      loss: 'softmaxCrossEntropy',
    },
    rate: 0.02,
    seed: 1,
    byHand: {
      stages: [
        { layers: [0, 1], partition: 'tiles', grid: [3, 1] },
        { layers: [1, 4], partition: 'tiles', grid: [1, 3] },
        { layers: [4, 5], partition: 'samples' },
        { layers: [5, 7], partition: 'single' },
      ],
    },
  },
];
