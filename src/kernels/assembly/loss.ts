/** Losses: softmax cross-entropy and mean of squares, in float64; exponential and logarithm of our own. */

import { exp, log } from './elementary';
import { View, VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class Loss {
  /** Samples, or elements, of the whole batch. */
  count: f64;
  metrics: usize;
  metricsLength: usize;
  rank: usize;
  labels: usize;
}

/** Block: logits, gradient, {@link Loss}. A label outside the classes makes the loss NaN. */
export function softmaxCrossEntropy(block: usize): void {
  const logits = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const fields = changetype<Loss>(block + 2 * VIEW_BYTES);
  let loss: f64 = 0;
  let correct: f32 = 0;
  for (let n: usize = 0; n < logits.samples; n++) {
    const label = load<usize>(fields.labels + (n << 2));
    const best = firstMaximum(logits, n);
    const maximum = score(logits, n, best);
    let sum: f64 = 0;
    // Subtracting the largest score keeps every exponential at most 1.
    for (let c: usize = 0; c < logits.channels; c++) sum += exp(score(logits, n, c) - maximum);
    for (let c: usize = 0; c < logits.channels; c++) {
      const probability = exp(score(logits, n, c) - maximum) / sum;
      const wanted: f64 = c == label ? 1 : 0;
      store<f32>(gradient.offset + n * gradient.sample + c * gradient.plane, <f32>((probability - wanted) / fields.count));
    }
    loss += label < logits.channels ? log(sum) - (score(logits, n, label) - maximum) : NaN;
    if (best == label) correct += 1;
  }
  writeMetrics(fields, loss / fields.count, correct);
}

function score(logits: View, n: usize, c: usize): f64 {
  return <f64>load<f32>(logits.offset + n * logits.sample + c * logits.plane);
}

function firstMaximum(logits: View, n: usize): usize {
  let best: usize = 0;
  for (let c: usize = 1; c < logits.channels; c++) {
    if (score(logits, n, c) > score(logits, n, best)) best = c;
  }
  return best;
}

/** Block: output, gradient, {@link Loss} without labels. */
export function meanSquares(block: usize): void {
  const output = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const fields = changetype<Loss>(block + 2 * VIEW_BYTES);
  let sum: f64 = 0;
  for (let n: usize = 0; n < output.samples; n++) {
    for (let c: usize = 0; c < output.channels; c++) {
      for (let y: usize = 0; y < output.rows; y++) {
        let from = rowOf(output, n, c, y);
        let to = rowOf(gradient, n, c, y);
        for (let x = output.columns; x != 0; x--, from += output.pixel, to += gradient.pixel) {
          const value = <f64>load<f32>(from);
          sum += value * value;
          store<f32>(to, <f32>((2 * value) / fields.count));
        }
      }
    }
  }
  writeMetrics(fields, sum / fields.count, 0);
}

/** The loss counts as finite where the float32 that peers will add is: a number minus itself is 0 only then. */
function writeMetrics(fields: Loss, loss: f64, correct: f32): void {
  const rounded = <f32>loss;
  memory.fill(fields.metrics, 0, fields.metricsLength << 2);
  store<f32>(fields.metrics, rounded);
  store<f32>(fields.metrics, correct, 4);
  store<f32>(fields.metrics + ((2 + fields.rank) << 2), rounded - rounded == 0 ? 0 : 1);
}
