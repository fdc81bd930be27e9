/** Losses: softmax cross-entropy and mean of squares, each with its gradient and the sums that the cluster adds up. */

import type { MeanSquaresCall, SoftmaxCrossEntropyCall } from '../../tensor/call.ts';
import { FLOAT_BYTES, type View } from '../../tensor/view.ts';
import { at, positions, read, write, type Memory } from './memory.ts';

interface Metrics {
  readonly metrics: number;
  readonly metricsLength: number;
  readonly rank: number;
}

/** See {@link SoftmaxCrossEntropyCall}. A label outside the classes makes the loss NaN. */
export function softmaxCrossEntropy(memory: Memory, call: SoftmaxCrossEntropyCall): void {
  let loss = 0;
  let correct = 0;
  for (let n = 0; n < call.logits.extent[0]; n++) {
    const scores = classScores(memory, call.logits, n);
    const label = memory.integers[call.labels / FLOAT_BYTES + n]!;
    // Subtracting the largest score keeps every exponential at most 1.
    const best = firstMaximum(scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - scores[best]!), 0);
    scores.forEach((score, c) => {
      const probability = Math.exp(score - scores[best]!) / sum;
      write(memory, at(call.gradient, [n, c, 0, 0]), (probability - (c === label ? 1 : 0)) / call.count);
    });
    loss += Math.log(sum) - ((scores[label] ?? Number.NaN) - scores[best]!);
    if (best === label) correct++;
  }
  writeMetrics(memory, call, loss / call.count, correct);
}

function classScores(memory: Memory, logits: View, n: number): number[] {
  return Array.from({ length: logits.extent[1] }, (_, c) => read(memory, at(logits, [n, c, 0, 0])));
}

function firstMaximum(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);
}

/** See {@link MeanSquaresCall}. */
export function meanSquares(memory: Memory, call: MeanSquaresCall): void {
  let sum = 0;
  for (const p of positions(call.output)) {
    const value = read(memory, at(call.output, p));
    sum += value * value;
    write(memory, at(call.gradient, p), (2 * value) / call.count);
  }
  writeMetrics(memory, call, sum / call.count, 0);
}

/** The loss counts as finite where the float32 that peers will add is. */
function writeMetrics(memory: Memory, { metrics, metricsLength, rank }: Metrics, loss: number, correct: number): void {
  memory.floats.fill(0, metrics / FLOAT_BYTES, metrics / FLOAT_BYTES + metricsLength);
  write(memory, metrics, loss);
  write(memory, metrics + FLOAT_BYTES, correct);
  write(memory, metrics + (2 + rank) * FLOAT_BYTES, Number.isFinite(Math.fround(loss)) ? 0 : 1);
}
