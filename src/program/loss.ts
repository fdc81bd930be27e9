/** The loss as kernel calls. */

import { METRICS } from '../planner/plan.ts';
import { activationShapes } from '../model/shapes.ts';
import { takesPart, type Emission } from './emission.ts';
import { extentBytes } from './storage.ts';
import { reserveOutputGradient, wholeOf } from './strip.ts';

/** Loss over the owned part of the output: its gradient, and this device's part of the metrics. */
export function emitLoss(emission: Emission): void {
  const { linker, model, stages, rank, variant, storage, parity, plan } = emission;
  const last = stages.length - 1;
  if (!takesPart(emission, last)) return;
  const output = emission.outputs[last]!;
  const gradient = reserveOutputGradient(emission, wholeOf(emission, last));
  emission.outputGradient = gradient;
  const { extent } = plan.parameters.at(-1)!;
  const metrics = linker.buffer(extentBytes(extent));
  emission.parameterGradients.set(METRICS, metrics);
  const common = { gradient: gradient.view, metrics, metricsLength: extent[0], rank };
  const samples = variant.samples;
  if (model.loss === 'softmaxCrossEntropy') {
    const labels = storage.labels[parity] + output.box[0][0] * 4;
    linker.emit({ kind: 'softmaxCrossEntropy', logits: output.view, labels, count: samples, ...common });
  } else {
    const values = activationShapes(model)
      .at(-1)!
      .reduce((product, n) => product * n, samples);
    linker.emit({ kind: 'meanSquares', output: output.view, count: values, ...common });
  }
}
