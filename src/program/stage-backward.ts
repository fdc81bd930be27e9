/**
 * A stage's backward as kernel calls, strip by strip: the gradient of the strip's output, the layers back from it, and its gradients added to
 * those of the strips before. Strips are disjoint boxes of the output, so by linearity their gradients add up to the stage's.
 */

import { isSpatial } from '../model/shapes.ts';
import { contiguous, slice, FLOAT_BYTES } from '../tensor/view.ts';
import type { ParameterAddresses } from './convolution.ts';
import { mine, takesPart, theirs, type Emission } from './emission.ts';
import { emitBackward, reserveGradient, slopeOf } from './layers.ts';
import { learnsBefore } from './messages.ts';
import { storedBytes, type Stored } from './planes.ts';
import { emitInner } from './stage.ts';
import { extentBytes } from './storage.ts';
import {
  addressesOf,
  partOf,
  reserveOutputGradient,
  stripsOf,
  wantsInputGradient,
  wholeOf,
  type Strip,
} from './strip.ts';
import { emitPack, emitShared, slotViews } from './transfers.ts';

/** Where a strip's parameter gradients go, by name. */
type Gradients = Map<string, number>;

/** Backward: sum the output's gradient from all who used it, walk the layers back, pack what belongs to neighbours. */
export function emitBackwardStage(emission: Emission, stage: number): void {
  const { linker, inputGradients, places } = emission;
  if (takesPart(emission, stage) && learnsBefore(emission.plan, stage + 1)) {
    const strips = stripsOf(emission, stage);
    inputGradients[stage] =
      strips.length === 1
        ? emitStrip(emission, strips[0]!, emission.parameterGradients)
        : emitSumOfStrips(emission, strips);
  }
  const input = inputGradients[stage];
  for (const message of mine(emission, 'backward', stage)) {
    emitPack(linker, message, places, ({ box }) => slice(input!.view, input!.box, box));
  }
}

/** Strip after strip, always in this order. @returns the sum of their input gradients, if it is of use */
function emitSumOfStrips(emission: Emission, strips: readonly Strip[]): Stored | undefined {
  const { linker, parameterGradients } = emission;
  const whole = wholeOf(emission, strips[0]!.stage);
  linker.layer = whole.start;
  const sum = wantsInputGradient(emission, whole.stage, 0) ? reserveInputGradient(emission, whole, 0) : undefined;
  if (sum) linker.emit({ kind: 'zero', ...storedBytes(sum) });
  strips.forEach((strip, k) => {
    const input = emitStrip(emission, strip, k === 0 ? parameterGradients : new Map());
    if (input) emitShared(linker, 'add', input, sum!);
  });
  return sum;
}

/** One strip's backward, after its forward where that was not kept. @returns the gradient of its input, if it is of use */
function emitStrip(emission: Emission, strip: Strip, gradients: Gradients): Stored | undefined {
  const { linker, activations } = emission;
  const { stage, start, layers } = strip;
  const stored = activations[stage] ?? recompute(emission, strip);
  linker.layer = start + layers.length - 1;
  let outputGradient = emitOutputGradient(emission, strip);
  for (let l = layers.length - 1; l >= 0; l--) {
    linker.layer = start + l;
    const inputGradient = wantsInputGradient(emission, stage, l) ? reserveInputGradient(emission, strip, l) : undefined;
    emitBackward(linker, {
      layer: layers[l]!,
      input: stored[l]!,
      output: stored[l + 1]!,
      outputGradient,
      inputGradient,
      parameters: gradientsOf(emission, start + l, gradients),
      before: epilogueOf(l),
      derived: epilogueOf(l + 1) !== undefined,
      kernels: emission.plan.kernels,
    });
    if (gradients !== emission.parameterGradients) emitAddGradients(emission, start + l, gradients);
    if (!inputGradient) return undefined;
    outputGradient = inputGradient;
  }
  return outputGradient;

  /** What a pooling does for the convolution before it, in the same stage. */
  function epilogueOf(l: number): { slope: number; sums: number } | undefined {
    const producer = layers[l - 1];
    if (layers[l]?.kind !== 'maxPool' || producer?.kind !== 'conv2d') return undefined;
    const { biasGradient } = gradientsOf(emission, start + l - 1, gradients)!;
    return { slope: slopeOf(producer.activation), sums: biasGradient };
  }
}

/** Activations R_0 to R_L once more; the last one is a part of the stage's output, which forward left. */
function recompute(emission: Emission, strip: Strip): readonly Stored[] {
  const { linker, outputs } = emission;
  linker.recomputing = true;
  const inner = emitInner(emission, strip);
  linker.recomputing = false;
  return [...inner, partOf(outputs[strip.stage]!, strip.regions.at(-1)!)];
}

/** Storage for the gradient of the input of a strip's l-th layer. */
function reserveInputGradient(emission: Emission, { stage, layers, regions }: Strip, l: number): Stored {
  const producer = layers[l - 1];
  const input = producer && wantsInputGradient(emission, stage, l - 1) ? regions[l - 1]! : undefined;
  const vector = producer ? !isSpatial(producer) : layers[0]!.kind === 'dense';
  return reserveGradient(emission.linker, regions[l]!, { vector, producer: producer && { layer: producer, input } });
}

/** The gradient of a strip's output, which backward may overwrite. */
function emitOutputGradient(emission: Emission, strip: Strip): Stored {
  const { linker, outputGradient, stages } = emission;
  const box = strip.regions.at(-1)!;
  if (strip.stage < stages.length - 1) return emitSumGradient(emission, strip);
  if (stripsOf(emission, strip.stage).length === 1) return outputGradient!;
  const part = reserveOutputGradient(emission, strip);
  linker.emit({ kind: 'copy', source: partOf(outputGradient!, box).view, target: part.view });
  return part;
}

/** The owner adds what everybody's backward left for its box, in rank order, so that the sum has the same bits in any order of arrival. */
function emitSumGradient(emission: Emission, strip: Strip): Stored {
  const { linker, places, rank, inputGradients, plan } = emission;
  const sum = reserveOutputGradient(emission, strip);
  linker.emit({ kind: 'zero', ...storedBytes(sum) });
  const own = inputGradients[strip.stage + 1];
  const messages = theirs(emission, 'backward', strip.stage + 1);
  for (let from = 0; from < plan.devices.length; from++) {
    if (from === rank && own) emitShared(linker, 'add', own, sum);
    for (const message of messages.filter((candidate) => candidate.from === from)) {
      for (const { part, view } of slotViews(message, places, false)) {
        emitShared(linker, 'add', { box: part.box, view }, sum);
      }
    }
  }
  return sum;
}

/** Addresses of a layer's parameters and their gradients, for which room is reserved the first time. */
function gradientsOf(emission: Emission, index: number, gradients: Gradients): ParameterAddresses | undefined {
  for (const { name, extent } of parametersOf(emission, index)) {
    if (!gradients.has(name)) gradients.set(name, emission.linker.buffer(extentBytes(extent)));
  }
  return addressesOf(emission, index, gradients);
}

/** Adds a strip's gradients of a layer's parameters to those of the strips before. */
function emitAddGradients(emission: Emission, index: number, gradients: Gradients): void {
  const { linker, parameterGradients } = emission;
  for (const { name, extent } of parametersOf(emission, index)) {
    // As rows, by which threads can share the call.
    const rows = [1, 1, extent[0], extentBytes(extent) / FLOAT_BYTES / extent[0]] as const;
    const source = contiguous(gradients.get(name)!, rows);
    linker.emit({ kind: 'add', source, target: contiguous(parameterGradients.get(name)!, rows) });
  }
}

function parametersOf({ model, plan }: Emission, index: number) {
  const layer = model.layers[index]!;
  if (!('name' in layer)) return [];
  return plan.parameters.filter(({ name }) => name === `${layer.name}.weight` || name === `${layer.name}.bias`);
}
