/** Strips: a stage can be walked in parts, one after another, so that what lies between its input and its output is never whole. */

import type { Model } from '../model/layers.ts';
import { parameterTensors } from '../model/parameters.ts';
import { activationShapes, type Shape } from '../model/shapes.ts';
import { boxOf, cut, length, volume, withRange, type Box, type Range } from '../tensor/box.ts';
import type { Walk } from './plan.ts';

/** The boxes of a stage's output that a device computes one after another. What backward needs is kept of whole boxes only, so training cuts no stage that it does not recompute. */
export function walkedBoxes({ recompute = false, strips = 1 }: Walk, owned: Box, training: boolean): readonly Box[] {
  return stripBoxes(owned, training && !recompute ? 1 : strips);
}

/**
 * The strips of a device's part of a stage's output, in the order in which they are walked; together they cover it, and none is empty.
 * Runs of samples as long as there are enough of them, which need nothing of each other; else runs of rows of each sample.
 * @param strips how many are wanted, at least 1; there are fewer where there are fewer rows, and up to one more for each sample where they do not come out even
 */
export function stripBoxes(owned: Box, strips: number): readonly Box[] {
  const samples = Math.min(strips, length(owned[0]));
  if (samples === 0) return [];
  const rows = Math.min(Math.ceil(strips / samples), length(owned[2]));
  return parts(owned[0], samples).flatMap((n) =>
    parts(owned[2], rows).map((y) => withRange(withRange(owned, 0, n), 2, y)),
  );
}

function parts(range: Range, count: number): readonly Range[] {
  return cut(length(range), count).map(([start, end]): Range => [range[0] + start, range[0] + end]);
}

/** What is wished for all stages of a model. */
export interface WalkWish extends Walk {
  /** Samples of a batch. */
  readonly batch: number;
}

/**
 * How each of a model's stages is walked when one wish is for all: the stage that holds most goes in so many strips, each other one in as few as keep its
 * largest strip no larger than that one's, or whole where strips would save less than the second gradient of a layer's weights that they need. Whole,
 * the last stage is not recomputed: its backward comes right after its forward, so that nothing would be saved.
 * @param stages ranges of layers
 */
export function balancedWalks(model: Model, stages: readonly Range[], wish: WalkWish): readonly Walk[] {
  const { recompute = false, strips: most = 1, batch } = wish;
  const shapes = activationShapes(model);
  const held = stages.map((layers) => heldValues(shapes, layers));
  const largest = Math.max(...held);
  const samplesThere = most < batch ? Math.ceil(batch / most) : batch / most;
  return stages.map((layers, k) => {
    const samples = Math.floor((largest * samplesThere) / held[k]!);
    const wanted = Math.ceil(samples > 0 ? batch / samples : (most * held[k]!) / largest);
    const saved = held[k]! * batch * (1 - 1 / wanted);
    const strips = held[k]! < largest && saved <= largestParameter(model, layers) ? 1 : wanted;
    const isLast = layers[1] === model.layers.length;
    return { recompute: recompute && !(isLast && strips === 1), strips };
  });
}

/** About what backward of a stage holds besides its output: all that it reads and computes before that, and the largest gradient of it. */
function heldValues(shapes: readonly Shape[], [start, end]: Range): number {
  const values = shapes.slice(start, end).map(([channels, rows, columns]) => channels * rows * columns);
  return values.reduce((sum, one) => sum + one, Math.max(...values));
}

/** Values of the largest parameter of a stage's layers. */
function largestParameter(model: Model, [start, end]: Range): number {
  const own = parameterTensors(model).filter(({ layer }) => start <= layer && layer < end);
  return Math.max(0, ...own.map(({ extent }) => volume(boxOf(extent))));
}
