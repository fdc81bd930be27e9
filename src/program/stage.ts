/** A stage as kernel calls: its input assembled from own part and halo, its layers, and what neighbours need of the result. */

import { activationShapes, isSpatial } from '../model/shapes.ts';
import { METRICS } from '../planner/plan.ts';
import { stageRegions } from '../planner/receptive.ts';
import { intersect, isEmpty, type Box } from '../tensor/box.ts';
import { slice, type View } from '../tensor/view.ts';
import type { ParameterAddresses } from './convolution.ts';
import { mine, takesPart, theirs, type Emission } from './emission.ts';
import { emitBackward, emitForward, reserveActivation, reserveGradient, slopeOf } from './layers.ts';
import { learnsBefore } from './messages.ts';
import { storedBytes, type Stored } from './planes.ts';
import { extentBytes } from './storage.ts';
import { emitPack, slotViews } from './transfers.ts';

/** Forward: assemble the input box, compute every layer on its region, pack what the next stage's neighbours need. */
export function emitForwardStage(emission: Emission, stage: number): void {
  if (takesPart(emission, stage)) {
    emission.linker.layer = emission.stages[stage]!.layers[0];
    const stored = reserveInput(emission, stage);
    if (stage === 0) emitPixels(emission, stored);
    else emitGatherInput(emission, stage, stored);
    emitLayers(emission, stage, stored);
  }
  const output = emission.activations[stage]!.at(-1);
  for (const message of mine(emission, 'forward', stage + 1)) {
    emitPack(emission.linker, message, emission.places, ({ box }) => slice(output!.view, output!.box, box));
  }
}

/** The layers of a stage, and the boxes R_0 to R_L that this device computes. */
function stageParts({ model, stages, rank }: Emission, stage: number) {
  const [start, end] = stages[stage]!.layers;
  const layers = model.layers.slice(start, end);
  const regions = stageRegions(layers, activationShapes(model).slice(start, end + 1), stages[stage]!.owned[rank]!);
  return { start, layers, regions };
}

function reserveInput(emission: Emission, stage: number): Stored {
  const { layers, regions } = stageParts(emission, stage);
  const vector = layers[0]!.kind === 'dense';
  return reserveActivation(emission.linker, regions[0]!, {
    vector,
    consumer: { layer: layers[0]!, output: regions[1]! },
  });
}

/** Raw pixels of the images that lie staged become floats in the needed box. */
function emitPixels({ linker, storage, model, options, parity, stages, plan, rank }: Emission, input: Stored): void {
  const [channels, rows, columns] = model.input;
  const imageBytes = channels * rows * columns;
  const [n, , y, x] = stages[0]!.needed[rank]!;
  const firstSample = plan.stages[0]!.needed[rank]![0][0];
  for (let c = 0; c < channels; c++) {
    const part: Box = [n, [c, c + 1], y, x];
    const target = slice(input.view, input.box, part);
    const offset =
      storage.images[parity] + (n[0] - firstSample) * imageBytes + c * rows * columns + y[0] * columns + x[0];
    const source: View = { offset, extent: target.extent, strides: [imageBytes, rows * columns, columns, 1] };
    const { mean, deviation } = options.normalization;
    linker.emit({ kind: 'pixels', source, target, mean: mean[c] ?? 0, deviation: deviation[c] ?? 1 });
  }
}

/** Own part of the previous stage's output, then each neighbour's, copied to its place in the needed box. */
function emitGatherInput(emission: Emission, stage: number, input: Stored): void {
  const { linker, places, activations } = emission;
  const previous = activations[stage - 1]!.at(-1);
  const kept = previous ? intersect(previous.box, input.box) : undefined;
  if (previous && kept && !isEmpty(kept)) {
    linker.emit({
      kind: 'copy',
      source: slice(previous.view, previous.box, kept),
      target: slice(input.view, input.box, kept),
    });
  }
  for (const message of theirs(emission, 'forward', stage)) {
    for (const { part, view } of slotViews(message, places, false)) {
      linker.emit({ kind: 'copy', source: view, target: slice(input.view, input.box, part.box) });
    }
  }
}

function emitLayers(emission: Emission, stage: number, input: Stored): void {
  const { linker } = emission;
  const { start, layers, regions } = stageParts(emission, stage);
  const stored = [input];
  layers.forEach((layer, l) => {
    linker.layer = start + l;
    const consumer = layers[l + 1] && { layer: layers[l + 1]!, output: regions[l + 2]! };
    const output = reserveActivation(linker, regions[l + 1]!, { vector: !isSpatial(layer), consumer });
    emitForward(linker, { layer, input: stored[l]!, output, parameters: addressesOf(emission, start + l) });
    stored.push(output);
  });
  emission.activations[stage] = stored;
}

/** Addresses of a layer's parameters, with those of their gradients in training; undefined for a layer that has none. */
function addressesOf(emission: Emission, index: number): ParameterAddresses | undefined {
  const layer = emission.model.layers[index]!;
  if (!('name' in layer)) return undefined;
  const { parameters } = emission.storage;
  const [weight, bias] = [`${layer.name}.weight`, `${layer.name}.bias`];
  const gradient = (name: string) => emission.parameterGradients.get(name) ?? 0;
  return {
    weights: parameters.get(weight)!,
    bias: parameters.get(bias)!,
    weightGradient: gradient(weight),
    biasGradient: gradient(bias),
  };
}

/** Loss over the owned part of the output: its gradient, and this device's part of the metrics. */
export function emitLoss(emission: Emission): void {
  const { linker, model, stages, rank, variant, storage, parity, plan } = emission;
  const last = stages.length - 1;
  if (!takesPart(emission, last)) return;
  const output = emission.activations[last]!.at(-1)!;
  const gradient = reserveOutputGradient(emission, last);
  emission.gradients[last]!.output = gradient;
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

function reserveOutputGradient(emission: Emission, stage: number): Stored {
  const { layers, regions } = stageParts(emission, stage);
  const layer = layers.at(-1)!;
  const input = wantsInputGradient(emission, stage, layers.length - 1) ? regions.at(-2)! : undefined;
  return reserveGradient(emission.linker, regions.at(-1)!, { vector: !isSpatial(layer), producer: { layer, input } });
}

/** Whether anything before the stage's l-th layer has parameters, so that the gradient of its input is of use. */
function wantsInputGradient({ model, stages }: Emission, stage: number, l: number): boolean {
  const index = stages[stage]!.layers[0] + l;
  return model.layers.slice(0, index).some((layer) => 'name' in layer);
}

/** Backward: sum the output's gradient from all who used it, walk the layers back, pack what belongs to neighbours. */
export function emitBackwardStage(emission: Emission, stage: number): void {
  const { linker, gradients } = emission;
  if (takesPart(emission, stage) && learnsBefore(emission.plan, stage + 1)) {
    linker.layer = emission.stages[stage]!.layers[1] - 1;
    if (stage < emission.stages.length - 1) gradients[stage]!.output = emitSumGradient(emission, stage);
    emitLayersBackward(emission, stage);
  }
  const input = gradients[stage]!.input;
  for (const message of mine(emission, 'backward', stage)) {
    emitPack(linker, message, emission.places, ({ box }) => slice(input!.view, input!.box, box));
  }
}

/** The owner adds what everybody's backward left for its box, in rank order, so that the sum has the same bits in any order of arrival. */
function emitSumGradient(emission: Emission, stage: number): Stored {
  const { linker, places, rank, gradients, plan } = emission;
  const sum = reserveOutputGradient(emission, stage);
  linker.emit({ kind: 'zero', ...storedBytes(sum) });
  const own = gradients[stage + 1]!.input;
  const messages = theirs(emission, 'backward', stage + 1);
  for (let from = 0; from < plan.devices.length; from++) {
    if (from === rank) {
      const kept = own ? intersect(own.box, sum.box) : undefined;
      if (own && kept && !isEmpty(kept)) {
        linker.emit({ kind: 'add', source: slice(own.view, own.box, kept), target: slice(sum.view, sum.box, kept) });
      }
    }
    for (const message of messages.filter((candidate) => candidate.from === from)) {
      for (const { part, view } of slotViews(message, places, false)) {
        linker.emit({ kind: 'add', source: view, target: slice(sum.view, sum.box, part.box) });
      }
    }
  }
  return sum;
}

function emitLayersBackward(emission: Emission, stage: number): void {
  const { linker } = emission;
  const { start, layers, regions } = stageParts(emission, stage);
  const stored = emission.activations[stage]!;
  let outputGradient = emission.gradients[stage]!.output!;
  for (let l = layers.length - 1; l >= 0; l--) {
    const layer = layers[l]!;
    linker.layer = start + l;
    const inputGradient = wantsInputGradient(emission, stage, l) ? reserveLayerGradient(l) : undefined;
    emitBackward(linker, {
      layer,
      input: stored[l]!,
      output: stored[l + 1]!,
      outputGradient,
      inputGradient,
      parameters: gradientsOf(emission, start + l),
      before: epilogueOf(l),
      derived: epilogueOf(l + 1) !== undefined,
    });
    if (!inputGradient) return;
    outputGradient = inputGradient;
    if (l === 0) emission.gradients[stage]!.input = inputGradient;
  }

  /** What a pooling does for the convolution before it, in the same stage. */
  function epilogueOf(l: number): { slope: number; sums: number } | undefined {
    const producer = layers[l - 1];
    if (layers[l]?.kind !== 'maxPool' || producer?.kind !== 'conv2d') return undefined;
    const { biasGradient } = gradientsOf(emission, start + l - 1)!;
    return { slope: slopeOf(producer.activation), sums: biasGradient };
  }

  function reserveLayerGradient(l: number): Stored {
    const producer = layers[l - 1];
    const input = producer && wantsInputGradient(emission, stage, l - 1) ? regions[l - 1]! : undefined;
    const vector = l === 0 ? layers[0]!.kind === 'dense' : !isSpatial(producer!);
    return reserveGradient(linker, regions[l]!, { vector, producer: producer && { layer: producer, input } });
  }
}

/** Addresses of a layer's parameters and their gradients, for which room is reserved the first time. */
function gradientsOf(emission: Emission, index: number): ParameterAddresses | undefined {
  const { linker, model, plan, parameterGradients } = emission;
  const layer = model.layers[index]!;
  if (!('name' in layer)) return undefined;
  for (const { name, extent } of plan.parameters) {
    const own = name === `${layer.name}.weight` || name === `${layer.name}.bias`;
    if (own && !parameterGradients.has(name)) parameterGradients.set(name, linker.buffer(extentBytes(extent)));
  }
  return addressesOf(emission, index);
}
