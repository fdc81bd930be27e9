/** Resampling: brings a decoded image to the channels, rows and columns of a model's input. */

import { InputError } from '../../errors.ts';
import type { ImageShape } from '../dataset.ts';
import type { Raster } from './raster.ts';

/**
 * How an image of other proportions is brought to the model's.
 * - `stretch`: to all of it, each axis by itself. No border has to be made up.
 * - `contain`: as large as it fits, in the middle, with zeros round it (black, and after `invert` too): what MNIST has round its digits.
 */
export type Fit = 'stretch' | 'contain';

export interface ResampleOptions {
  /** The model's input; 1 channel is grey, 3 are red, green and blue. */
  readonly shape: ImageShape;
  /** Makes dark light and light dark: a pen on paper is the negative of MNIST's digits. */
  readonly invert?: boolean;
  /** Default `stretch`. */
  readonly fit?: Fit;
}

/** The share of each source value in a target value: `weights` of the values from `start` on, which add up to 1. */
interface Taps {
  readonly start: number;
  readonly weights: Float64Array;
}

/** Of red, green and blue in grey, in thousandths: exact where all three are equal (ITU-R BT.601). */
const LUMA = [299, 587, 114] as const;

/**
 * Mean over the area where the image is larger than the input, bilinear where it is smaller; exact where they are equal. What is transparent lies over white.
 * @returns channels x rows x columns unsigned bytes, as data sets have them
 * @throws {InputError} `imageChannels` for a model that wants neither 1 nor 3 channels
 */
export function resample(raster: Raster, { shape, invert = false, fit = 'stretch' }: ResampleOptions): Uint8Array {
  const [channels, rows, columns] = shape;
  if (channels !== 1 && channels !== 3) {
    throw new InputError('imageChannels', `is an image, but the model wants ${channels} channels; images have 1 or 3`);
  }
  const [height, width] = fit === 'contain' ? contained(raster, rows, columns) : [rows, columns];
  const [top, left] = [Math.floor((rows - height) / 2), Math.floor((columns - width) / 2)];
  const narrow = narrowed(raster, channels, tapsOf(raster.width, width));
  const vertical = tapsOf(raster.height, height);
  const pixels = new Uint8Array(channels * rows * columns);
  for (let c = 0; c < channels; c++) {
    for (const [y, { start, weights }] of vertical.entries()) {
      for (let x = 0; x < width; x++) {
        const at = (c * raster.height + start) * width + x;
        const value = weights.reduce((sum, weight, k) => sum + weight * narrow[at + k * width]!, 0);
        const byte = Math.round(value);
        pixels[(c * rows + top + y) * columns + left + x] = invert ? 255 - byte : byte;
      }
    }
  }
  return pixels;
}

function contained({ width, height }: Raster, rows: number, columns: number): readonly [rows: number, columns: number] {
  const scale = Math.min(rows / height, columns / width);
  return [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
}

/** All rows at their final width: channels x source rows x target columns. Only one row is ever held at its full width. */
function narrowed({ width, height, rgba }: Raster, channels: 1 | 3, horizontal: readonly Taps[]): Float32Array {
  const target = new Float32Array(channels * height * horizontal.length);
  const row = new Float32Array(width);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) row[x] = sample(rgba, 4 * (y * width + x), channels === 1 ? undefined : c);
      const at = (c * height + y) * horizontal.length;
      for (const [x, { start, weights }] of horizontal.entries()) {
        target[at + x] = weights.reduce((sum, weight, k) => sum + weight * row[start + k]!, 0);
      }
    }
  }
  return target;
}

/** A pixel's colour, or its grey, over white. */
function sample(rgba: Uint8Array, at: number, channel: number | undefined): number {
  const [red, green, blue, opacity] = [rgba[at]!, rgba[at + 1]!, rgba[at + 2]!, rgba[at + 3]!];
  const value =
    channel === undefined ? (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue) / 1000 : [red, green, blue][channel]!;
  return opacity === 255 ? value : (value * opacity + 255 * (255 - opacity)) / 255;
}

function tapsOf(from: number, to: number): readonly Taps[] {
  return Array.from({ length: to }, (_, i) => (from >= to ? areaTaps(i, from, to) : linearTaps(i, from, to)));
}

/** Source values by how much of them lies under target value i. */
function areaTaps(i: number, from: number, to: number): Taps {
  const [low, high] = [(i * from) / to, ((i + 1) * from) / to];
  const [start, end] = [Math.floor(low), Math.min(from, Math.ceil(high))];
  const weights = Float64Array.from({ length: end - start }, (_, k) => {
    return ((Math.min(high, start + k + 1) - Math.max(low, start + k)) * to) / from;
  });
  return { start, weights };
}

/** The two source values whose centres lie round that of target value i; at the rim, one. */
function linearTaps(i: number, from: number, to: number): Taps {
  const centre = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
  const start = Math.floor(centre);
  const share = centre - start;
  return { start, weights: share === 0 ? Float64Array.of(1) : Float64Array.of(1 - share, share) };
}
