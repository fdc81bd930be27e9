/** The input of a stage's strip as kernel calls: images turned into floats, or the previous stage's output with what neighbours sent. */

import type { Box } from '../tensor/box.ts';
import { slice, type View } from '../tensor/view.ts';
import { theirs, type Emission } from './emission.ts';
import { reserveActivation } from './layers.ts';
import type { Stored } from './planes.ts';
import type { Strip } from './strip.ts';
import { emitShared, slotViews } from './transfers.ts';

/** Assembles the box that a strip needs, from what stays in place up to the end of the iteration: so backward can do it again. */
export function emitInput(emission: Emission, { stage, start, layers, regions }: Strip): Stored {
  emission.linker.layer = start;
  const input = reserveActivation(emission.linker, regions[0]!, {
    vector: layers[0]!.kind === 'dense',
    consumer: { layer: layers[0]!, output: regions[1]! },
  });
  if (stage === 0) emitPixels(emission, input);
  else emitGather(emission, stage, input);
  return input;
}

/** Raw pixels of the images that lie staged become floats in the needed box. */
function emitPixels({ linker, storage, model, options, parity, plan, rank }: Emission, input: Stored): void {
  const [channels, rows, columns] = model.input;
  const imageBytes = channels * rows * columns;
  const [n, , y, x] = input.box;
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
function emitGather(emission: Emission, stage: number, input: Stored): void {
  const { linker, places, outputs } = emission;
  const previous = outputs[stage - 1];
  if (previous) emitShared(linker, 'copy', previous, input);
  for (const message of theirs(emission, 'forward', stage)) {
    for (const { part, view } of slotViews(message, places, false)) {
      emitShared(linker, 'copy', { box: part.box, view }, input);
    }
  }
}
