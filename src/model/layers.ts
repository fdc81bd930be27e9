/** Layers: what a network is made of. A model is a chain; a layer's index is its position in it. */

/** Slope of negative values of an activation: 1 is the identity, 0 ReLU. */
export type Activation =
  { readonly kind: 'identity' } | { readonly kind: 'relu' } | { readonly kind: 'leakyRelu'; readonly slope: number };

/** Convolution with square kernel, then bias, then activation. Weights `filters x inputs x kernel x kernel` (OIHW). */
export interface Conv2d {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
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

/** Loss over the whole batch: `softmaxCrossEntropy` of logits and labels, or `meanSquares` of the output itself. */
export type LossKind = 'softmaxCrossEntropy' | 'meanSquares';

export interface Model {
  readonly name: string;
  /** Channels, rows and columns of one image. */
  readonly input: readonly [channels: number, rows: number, columns: number];
  readonly layers: readonly Layer[];
  readonly loss: LossKind;
}
