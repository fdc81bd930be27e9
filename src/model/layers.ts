/** Layers: what a network is made of. A model is a chain; a layer's index is its position in it. */

/** Slope of negative values of an activation: 1 is the identity, 0 ReLU. */
export type Activation =
  { readonly kind: 'identity' } | { readonly kind: 'relu' } | { readonly kind: 'leakyRelu'; readonly slope: number };

/**
 * Convolution with square kernel, then bias, then activation. Weights `filters x inputs / groups x kernel x kernel` (OIHW): group g of the
 * filters sees group g of the input channels. `dilation` and `groups` are left out where they are 1, so that a model has one form and one hash.
 */
export interface Conv2d {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  /** Distance of neighbouring taps in pixels. */
  readonly dilation?: number;
  readonly groups?: number;
  readonly activation: Activation;
}

/** Maximum over square windows; cells outside the image never win. Padding is at most half the kernel. */
export interface MaxPool {
  readonly kind: 'maxPool';
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** (c, h, w) to a vector of c·h·w, row-major. */
export interface Flatten {
  readonly kind: 'flatten';
}

/** Fully connected layer on a vector, then bias, then activation. Weights `units x inputs`. */
export interface Dense {
  readonly kind: 'dense';
  readonly name: string;
  readonly units: number;
  readonly activation: Activation;
}

export type Layer = Conv2d | MaxPool | Flatten | Dense;

/** Pixels that a window spans on one axis, from its first tap to its last: (kernel - 1)·dilation + 1. */
export function windowReach({ kernel, dilation = 1 }: { readonly kernel: number; readonly dilation?: number }): number {
  return (kernel - 1) * dilation + 1;
}

/** Loss over the whole batch: `softmaxCrossEntropy` of logits and labels, or `meanSquares` of the output itself. */
export type LossKind = 'softmaxCrossEntropy' | 'meanSquares';

export interface Model {
  readonly name: string;
  /** Channels, rows and columns of one image. */
  readonly input: readonly [channels: number, rows: number, columns: number];
  readonly layers: readonly Layer[];
  readonly loss: LossKind;
}
