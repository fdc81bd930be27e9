/** Layers as kernel calls: forward over the stored boxes of a stage, and backward beneath it. */

import type { Activation, Layer } from '../model/layers.ts';
import { algorithmsOf } from '../planner/kernels.ts';
import type { KernelPlan } from '../planner/plan.ts';
import { extentOf, type Box } from '../tensor/box.ts';
import { FLOAT_BYTES, valuesOf, type View } from '../tensor/view.ts';
import { emitConvolution, emitConvolutionBackward, type ParameterAddresses } from './convolution.ts';
import type { Linker } from './linker.ts';
import {
  NO_BORDER,
  gradientBorder,
  inputBorder,
  planesBytes,
  storePlanes,
  storeVectors,
  type Stored,
} from './planes.ts';

/** Slope of negative values: 1 identity, 0 ReLU. */
export function slopeOf(activation: Activation): number {
  if (activation.kind === 'identity') return 1;
  return activation.kind === 'relu' ? 0 : activation.slope;
}

/** Reserves storage for a box that `consumer` reads, with its border cleared. */
export function reserveActivation(
  linker: Linker,
  box: Box,
  site: { vector: boolean; consumer?: { layer: Layer; output: Box } | undefined },
): Stored {
  if (site.vector) return reserveVectors(linker, box);
  const { consumer } = site;
  const border = consumer?.layer.kind === 'conv2d' ? inputBorder(consumer.layer, box, consumer.output) : NO_BORDER;
  return reservePlanes(linker, box, border);
}

/** Reserves storage for the gradient of a box that `producer` made, with its border cleared. */
export function reserveGradient(
  linker: Linker,
  box: Box,
  site: { vector: boolean; producer?: { layer: Layer; input: Box | undefined } | undefined },
): Stored {
  if (site.vector) return reserveVectors(linker, box);
  const { producer } = site;
  const border = producer?.layer.kind === 'conv2d' ? gradientBorder(producer.layer, producer.input, box) : NO_BORDER;
  return reservePlanes(linker, box, border);
}

function reserveVectors(linker: Linker, box: Box): Stored {
  return storeVectors(linker.buffer(planesBytes(box, NO_BORDER)), box);
}

function reservePlanes(linker: Linker, box: Box, border: Stored['border']): Stored {
  const stored = storePlanes(linker.buffer(planesBytes(box, border)), box, border);
  if (border.top + border.bottom + border.left + border.right > 0) {
    linker.emit({ kind: 'clearBorder', view: stored.view, border });
  }
  return stored;
}

interface ForwardSite {
  readonly layer: Layer;
  readonly input: Stored;
  readonly output: Stored;
  readonly parameters: Pick<ParameterAddresses, 'weights' | 'bias'> | undefined;
  readonly kernels: KernelPlan;
}

/** output = layer(input), on the boxes that are stored. */
export function emitForward(linker: Linker, { layer, input, output, parameters, kernels }: ForwardSite): void {
  switch (layer.kind) {
    case 'conv2d':
      emitConvolution(linker, {
        convolution: layer,
        input,
        output,
        parameters: parameters!,
        slope: slopeOf(layer.activation),
        algorithm: algorithmsOf(kernels, layer).forward,
      });
      return;
    case 'maxPool':
      linker.emit({
        kind: 'maxPool',
        source: input.view,
        target: output.view,
        ...poolWindows(layer, input.box, output.box),
      });
      return;
    case 'flatten':
      linker.emit({ kind: 'copy', source: input.view, target: unflattened(output.view, input.box) });
      return;
    case 'dense': {
      const slope = slopeOf(layer.activation);
      linker.emit({ kind: 'dense', source: input.view, target: output.view, ...parameters!, slope });
    }
  }
}

interface BackwardSite {
  readonly layer: Layer;
  readonly input: Stored;
  readonly output: Stored;
  readonly outputGradient: Stored;
  readonly inputGradient: Stored | undefined;
  readonly parameters: ParameterAddresses | undefined;
  /** For a pooling: the convolution before it, whose derivative and bias gradient are computed in the same pass. */
  readonly before?: Epilogue | undefined;
  /** For a convolution: whether the pooling behind it has done so. */
  readonly derived?: boolean;
  readonly kernels: KernelPlan;
}

/** What the backward of a pooling does for the convolution whose output it reads anyway. */
interface Epilogue {
  readonly slope: number;
  /** Address of the bias gradient. */
  readonly sums: number;
}

/** Gradients of the layer's parameters and input from that of its output, which is overwritten by the activation's derivative. */
export function emitBackward(linker: Linker, site: BackwardSite): void {
  const { layer, input, outputGradient, inputGradient } = site;
  switch (layer.kind) {
    case 'conv2d':
      if (site.derived !== true) {
        emitDerivative(linker, layer.activation, site);
        linker.emit({ kind: 'sumPlanes', source: outputGradient.view, target: site.parameters!.biasGradient });
      }
      emitConvolutionBackward(linker, {
        ...site,
        convolution: layer,
        parameters: site.parameters!,
        algorithms: algorithmsOf(site.kernels, layer),
      });
      return;
    case 'maxPool':
      if (!inputGradient) return;
      linker.emit({
        kind: 'maxPoolBackward',
        source: input.view,
        targetGradient: outputGradient.view,
        sourceGradient: inputGradient.view,
        ...poolWindows(layer, input.box, site.output.box),
        ...(site.before ?? { slope: 1, sums: 0 }),
      });
      return;
    case 'flatten':
      if (!inputGradient) return;
      linker.emit({ kind: 'copy', source: unflattened(outputGradient.view, input.box), target: inputGradient.view });
      return;
    case 'dense':
      emitDerivative(linker, layer.activation, site);
      emitDenseBackward(linker, site, site.parameters!);
  }
}

function emitDenseBackward(linker: Linker, site: BackwardSite, parameters: ParameterAddresses): void {
  const targetGradient = site.outputGradient.view;
  linker.emit({ kind: 'sumPlanes', source: targetGradient, target: parameters.biasGradient });
  linker.emit({ kind: 'denseWeights', source: site.input.view, targetGradient, target: parameters.weightGradient });
  if (site.inputGradient) {
    linker.emit({
      kind: 'denseInput',
      targetGradient,
      sourceGradient: site.inputGradient.view,
      weights: parameters.weights,
      weightsRow: valuesOf(site.inputGradient.view) * FLOAT_BYTES,
    });
  }
}

function emitDerivative(linker: Linker, activation: Activation, { output, outputGradient }: BackwardSite): void {
  const slope = slopeOf(activation);
  if (slope === 1) return;
  linker.emit({ kind: 'activationBackward', output: output.view, gradient: outputGradient.view, slope });
}

/** Where the window of the stored output's first cell begins, counted from the stored input's first cell. */
function poolWindows(layer: { kernel: number; stride: number; padding: number }, input: Box, output: Box) {
  const { kernel, stride, padding } = layer;
  const origin = (axis: 2 | 3) => output[axis][0] * stride - padding - input[axis][0];
  return { kernel, stride, originY: origin(2), originX: origin(3) };
}

/** Vectors seen as the planes they were flattened from. */
function unflattened(vectors: View, planes: Box): View {
  const extent = extentOf(planes);
  const [, , h, w] = extent;
  return {
    offset: vectors.offset,
    extent,
    strides: [vectors.strides[0], h * w * FLOAT_BYTES, w * FLOAT_BYTES, FLOAT_BYTES],
  };
}
