/** Receptive fields: which box of a layer's input is needed for a box of its output, and so for a whole stage. */

import type { Box, Range } from '../tensor/box.ts';
import { EMPTY_BOX, intersectRanges, isEmpty } from '../tensor/box.ts';
import { windowReach, type Layer } from '../model/layers.ts';
import type { Shape } from '../model/shapes.ts';

/** A square window that slides over rows and columns. */
export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  /** Distance of neighbouring taps; 1 where it is left out. */
  readonly dilation?: number;
}

/**
 * Input range that outputs `[a, b)` look at on one axis, not clipped to the image: `[a·s - p, (b - 1)·s - p + k')` with
 * k' = (k - 1)·d + 1.
 * What lies outside the image is zero for a convolution and never wins in max pooling.
 */
export function windowRange(window: Window, output: Range): Range {
  const start = output[0] * window.stride - window.padding;
  return [start, (output[1] - 1) * window.stride - window.padding + windowReach(window)];
}

/**
 * The box of a layer's input that is needed to compute `output`.
 * @param input shape of one sample of the layer's input
 * @param output a box of the layer's output, in global coordinates
 */
export function neededBox(layer: Layer, input: Shape, output: Box): Box {
  if (isEmpty(output)) return EMPTY_BOX;
  const [channels, rows, columns] = input;
  const [n, c, y, x] = output;
  switch (layer.kind) {
    case 'conv2d':
    case 'maxPool':
      return [
        n,
        layer.kind === 'conv2d' ? [0, channels] : c,
        intersectRanges(windowRange(layer, y), [0, rows]),
        intersectRanges(windowRange(layer, x), [0, columns]),
      ];
    case 'flatten':
    case 'dense':
      return [n, [0, channels], [0, rows], [0, columns]];
  }
}

/**
 * Boxes that a device computes inside a stage: entry 0 is the input it needs (owned part and halo), entry l the part of the
 * l-th layer's output, the last one `owned` itself. R_l-1 = need(R_l).
 * @param layers the stage's layers; `shapes` the shape of the stage's input, then of each layer's output
 */
export function stageRegions(layers: readonly Layer[], shapes: readonly Shape[], owned: Box): readonly Box[] {
  const regions: Box[] = [owned];
  for (let l = layers.length - 1; l >= 0; l--) {
    regions.unshift(neededBox(layers[l]!, shapes[l]!, regions[0]!));
  }
  return regions;
}
