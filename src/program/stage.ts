/** A stage's forward as kernel calls: strip by strip its input and its layers, then what neighbours need of the result. */

import { isSpatial } from '../model/shapes.ts';
import { slice } from '../tensor/view.ts';
import { mine, takesPart, type Emission } from './emission.ts';
import { emitForward, reserveActivation } from './layers.ts';
import type { Stored } from './planes.ts';
import { emitInput } from './stage-input.ts';
import { addressesOf, partOf, stripsOf, type Strip } from './strip.ts';
import { emitPack } from './transfers.ts';

/** Forward: for each strip, assemble the input box and compute every layer on its region; pack what the next stage's neighbours need. */
export function emitForwardStage(emission: Emission, stage: number): void {
  const { linker, stages, rank, outputs, activations } = emission;
  if (takesPart(emission, stage)) {
    const strips = stripsOf(emission, stage);
    const vector = !isSpatial(strips[0]!.layers.at(-1)!);
    const output = reserveActivation(linker, stages[stage]!.owned[rank]!, { vector });
    outputs[stage] = output;
    for (const strip of strips) {
      const stored = emitInner(emission, strip);
      const last = partOf(output, strip.regions.at(-1)!);
      emitLayer(emission, strip, { l: strip.layers.length - 1, input: stored.at(-1)!, output: last });
      if (stages[stage]!.recompute !== true) activations[stage] = [...stored, last];
    }
  }
  for (const message of mine(emission, 'forward', stage + 1)) {
    emitPack(linker, message, emission.places, ({ box }) => slice(outputs[stage]!.view, outputs[stage]!.box, box));
  }
}

/** A strip's input and every layer but the last, whose output is part of the stage's. @returns activations R_0 to R_L-1 */
export function emitInner(emission: Emission, strip: Strip): readonly Stored[] {
  const { layers, regions } = strip;
  const stored = [emitInput(emission, strip)];
  for (let l = 0; l + 1 < layers.length; l++) {
    const output = reserveActivation(emission.linker, regions[l + 1]!, {
      vector: !isSpatial(layers[l]!),
      consumer: { layer: layers[l + 1]!, output: regions[l + 2]! },
    });
    emitLayer(emission, strip, { l, input: stored[l]!, output });
    stored.push(output);
  }
  return stored;
}

interface LayerSite {
  /** Position of the layer in the stage. */
  readonly l: number;
  readonly input: Stored;
  readonly output: Stored;
}

function emitLayer(emission: Emission, { start, layers }: Strip, { l, input, output }: LayerSite): void {
  const { linker, parameterGradients } = emission;
  linker.layer = start + l;
  const parameters = addressesOf(emission, start + l, parameterGradients);
  emitForward(linker, { layer: layers[l]!, input, output, parameters, kernels: emission.plan.kernels });
}
