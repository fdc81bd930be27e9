/**
 * Training steps of TensorFlow.js on its CPU backend, one batch of noise again and again, to be measured beside MQTile's.
 *
 *     tfjs-step.mjs --model yolov2-front --size 224 --batch 1 --from FOLDER
 *
 * FOLDER is one from which `@tensorflow/tfjs` can be resolved. Model, loss, optimizer and float32 are those of `mqtile bench step`. Each line
 * of standard input is a number of steps; the answer is one JSON object a line: their times in ms, the last loss, and the most memory that
 * was resident so far, in bytes.
 */

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const RATE = 0.01;

/** Filters and kernel of each convolution of YOLOv2's layers 0 to 15; null is a 2x2 maximum pooling. */
// prettier-ignore
const YOLOV2_FRONT = [
  [32, 3], null, [64, 3], null, [128, 3], [64, 1], [128, 3], null,
  [256, 3], [128, 1], [256, 3], null, [512, 3], [256, 1], [512, 3], [256, 1],
];

const text = { type: 'string' };
const { values: options } = parseArgs({ options: { model: text, size: text, batch: text, from: text } });
const require = createRequire(resolve(options.from, 'package.json'));
const tf = require('@tensorflow/tfjs');
await tf.setBackend('cpu');

/** He-uniform. */
function weights(shape) {
  const fanIn = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
  const bound = Math.sqrt(6 / fanIn);
  return [tf.variable(tf.randomUniform(shape, -bound, bound)), tf.variable(tf.zeros([shape.at(-1)]))];
}

function convolution([inputs, filters, kernel], padding, activate) {
  const [kernels, bias] = weights([kernel, kernel, inputs, filters]);
  return (x) => activate(x.conv2d(kernels, 1, padding).add(bias));
}

function dense([inputs, units], activate) {
  const [matrix, bias] = weights([inputs, units]);
  return (x) => activate(x.matMul(matrix).add(bias));
}

const pool = (x) => x.maxPool(2, 2, 'valid');
const relu = (x) => x.relu();

function yolov2Front() {
  let channels = 3;
  return YOLOV2_FRONT.map((layer) => {
    if (layer === null) return pool;
    const [filters, kernel] = layer;
    const made = convolution([channels, filters, kernel], 'same', (x) => x.leakyRelu(0.1));
    channels = filters;
    return made;
  });
}

function lenet5() {
  // prettier-ignore
  return [
    convolution([1, 6, 5], 'same', relu), pool, convolution([6, 16, 5], 'valid', relu), pool,
    (x) => x.reshape([x.shape[0], -1]),
    dense([400, 120], relu), dense([120, 84], relu), dense([84, 10], (x) => x),
  ];
}

const lenet = options.model === 'lenet5';
const layers = lenet ? lenet5() : yolov2Front();
const [size, batch] = [lenet ? 28 : Number(options.size), Number(options.batch)];
const images = tf
  .randomUniform([batch, size, size, lenet ? 1 : 3], 0, 256, 'int32')
  .toFloat()
  .div(255);
const labels = tf.oneHot(tf.randomUniform([batch], 0, 10, 'int32'), 10);
const optimizer = tf.train.sgd(RATE);

function step() {
  const cost = () => {
    const output = layers.reduce((x, layer) => layer(x), images);
    return lenet ? tf.losses.softmaxCrossEntropy(labels, output) : output.square().mean();
  };
  const loss = optimizer.minimize(cost, true);
  const [value] = loss.dataSync();
  loss.dispose();
  return value;
}

for await (const line of createInterface({ input: process.stdin })) {
  const ms = [];
  let loss;
  for (let k = 0; k < Number(line); k++) {
    const began = performance.now();
    loss = step();
    ms.push(performance.now() - began);
  }
  const memoryPeakBytes = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(`${JSON.stringify({ ms, loss, memoryPeakBytes })}\n`);
}
