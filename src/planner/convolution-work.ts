/** The work of one pass of a convolution by one algorithm, in the units whose cost was measured. */

import type { Conv2d } from '../model/layers.ts';
import { length, type Box } from '../tensor/box.ts';
import type { ConvolutionCost, ConvolutionPass } from '../tensor/rates.ts';
import type { Algorithm } from './plan.ts';

/** A convolution without groups on one device: the boxes of its input and output that the device computes with. */
export interface ConvolutionSite {
  readonly convolution: Conv2d;
  readonly input: Box;
  readonly output: Box;
}

/** Direct kernels compute whole vectors of as many pixels; Winograd's tiles are as long. */
const TILE = 4;

/** Multiplications of Winograd's F(4x4, 3x3) for a tile of a pair of channels. */
const TILE_PRODUCTS = 36;

/** How many units of each kind of work a pass takes: what {@link ConvolutionCost} gives the nanoseconds of. */
export function convolutionWork(pass: ConvolutionPass, algorithm: Algorithm, site: ConvolutionSite): ConvolutionCost {
  const { convolution, input, output } = site;
  const written = pass === 'inputGradient' ? input : output;
  const [inputs, outputs] = [length(input[1]), length(output[1])];
  const [samples, rows, columns] = [length(written[0]), length(written[2]), length(written[3])];
  const tiles = samples * Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
  const pixels = samples * rows * Math.ceil(columns / TILE) * TILE;
  const products = algorithm === 'winograd' ? tiles * TILE_PRODUCTS : pixels * convolution.kernel ** 2;
  const [read, made] = pass === 'inputGradient' ? [outputs, inputs] : [inputs, outputs];
  return {
    product: products * inputs * outputs,
    source: tiles * read,
    target: tiles * made,
    weights: inputs * outputs,
  };
}

/** Nanoseconds of so much work. */
export function nanosecondsOf(work: ConvolutionCost, cost: ConvolutionCost): number {
  const { product, source, target, weights } = work;
  return product * cost.product + source * cost.source + target * cost.target + weights * cost.weights;
}
