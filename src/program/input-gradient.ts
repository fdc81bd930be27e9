/** The gradient of a convolution's input as kernel calls: a convolution of the output's gradient with mirrored weights, phase by phase of the stride. */

import type { Conv2d } from '../model/layers.ts';
import type { Algorithm } from '../planner/plan.ts';
import { length, type Box, type Range } from '../tensor/box.ts';
import type { View } from '../tensor/view.ts';
import { emitConvolve } from './convolve.ts';
import { channelGroups, channelsOf, isDepthwise } from './groups.ts';
import type { Linker } from './linker.ts';
import { NO_BORDER, pixelAddress, planesBytes, storePlanes, storedBytes, type Stored } from './planes.ts';

export interface GradientSite {
  readonly convolution: Conv2d;
  /** Address of the weights, as PyTorch lays them out. */
  readonly weights: number;
  readonly outputGradient: Stored;
  readonly inputGradient: Stored;
  readonly algorithm: Algorithm;
}

/** Input gradient, phase by phase: input cells i with (i + padding) mod stride = phase see the taps t with t·dilation mod stride = phase. */
export function emitInputGradient(linker: Linker, site: GradientSite): void {
  const { stride } = site.convolution;
  if (stride > 1) {
    // A phase may have no taps at all: its cells have no gradient.
    linker.emit({ kind: 'zero', ...storedBytes(site.inputGradient) });
  }
  for (let phaseY = 0; phaseY < stride; phaseY++) {
    for (let phaseX = 0; phaseX < stride; phaseX++) {
      emitGradientPhase(linker, { ...site, phaseY, phaseX });
    }
  }
}

interface GradientPhase extends GradientSite {
  readonly phaseY: number;
  readonly phaseX: number;
}

/** One axis of a phase: input cells first, first + stride, …; the taps that they see, and the output cell of the first one at each tap. */
interface PhaseAxis {
  readonly first: number;
  readonly count: number;
  /** Taps from the last to the first: in the order in which their output cells lie in memory. */
  readonly taps: readonly number[];
  readonly outputs: readonly number[];
}

function phaseAxis(convolution: Conv2d, cells: Range, phase: number): PhaseAxis {
  const { kernel, stride, padding, dilation = 1 } = convolution;
  const offset = (((phase - padding - cells[0]) % stride) + stride) % stride;
  const first = cells[0] + offset;
  const taps = Array.from({ length: kernel }, (_, t) => kernel - 1 - t).filter(
    (tap) => (tap * dilation) % stride === phase,
  );
  return {
    first,
    count: Math.max(0, Math.ceil((cells[1] - first) / stride)),
    taps,
    outputs: taps.map((tap) => (first + padding - tap * dilation) / stride),
  };
}

function emitGradientPhase(linker: Linker, phase: GradientPhase): void {
  const { convolution, outputGradient, inputGradient } = phase;
  const { kernel, stride } = convolution;
  const y = phaseAxis(convolution, inputGradient.box[2], phase.phaseY);
  const x = phaseAxis(convolution, inputGradient.box[3], phase.phaseX);
  if (y.count * x.count * y.taps.length * x.taps.length === 0) return;
  const [, , row, pixel] = outputGradient.view.strides;
  const [top, left] = [y.outputs[0]!, x.outputs[0]!];
  const target = phaseTarget(linker, inputGradient, y, x, stride);
  emitMirrored(linker, phase, {
    source: { ...outputGradient.view, offset: pixelAddress(outputGradient, top, left) },
    target: target.packed,
    tapIndex: y.taps.flatMap((ty) => x.taps.map((tx) => ty * kernel + tx)),
    taps: y.outputs.flatMap((oy) => x.outputs.map((ox) => (oy - top) * row + (ox - left) * pixel)),
  });
  if (target.packed !== target.strided) linker.emit({ kind: 'copy', source: target.packed, target: target.strided });
}

/** Output gradients that a phase reads, input gradients that it makes, and its taps: index in the kernel and distance in bytes. */
interface Mirrored {
  readonly source: View;
  readonly target: View;
  readonly tapIndex: readonly number[];
  readonly taps: readonly number[];
}

/** The convolution with mirrored weights, for each group with the inputs and filters in each other's place. */
function emitMirrored(
  linker: Linker,
  { convolution, weights, inputGradient, algorithm }: GradientPhase,
  mirrored: Mirrored,
): void {
  const { source, target, tapIndex, taps } = mirrored;
  const kernelTaps = convolution.kernel ** 2;
  const channels = length(inputGradient.box[1]);
  const linear = { bias: 0, slope: 1 };
  if (isDepthwise(convolution, channels)) {
    linker.emit({ kind: 'convolveDepthwise', source, target, weights, taps, tapIndex, kernelTaps, ...linear });
    return;
  }
  for (const { inputs, filters, weightOffset } of channelGroups(convolution, channels)) {
    const [rows, columns] = [length(inputs), length(filters)];
    const strides = { rowStride: kernelTaps, columnStride: rows * kernelTaps };
    emitConvolve(
      linker,
      algorithm,
      { weights: weights + weightOffset, rows, columns, ...strides, taps: tapIndex },
      { source: channelsOf(source, filters), target: channelsOf(target, inputs), taps, ...linear },
    );
  }
}

/** Where a phase's gradient is computed (neighbouring pixels) and where it belongs (every stride-th pixel). */
function phaseTarget(
  linker: Linker,
  inputGradient: Stored,
  y: PhaseAxis,
  x: PhaseAxis,
  stride: number,
): { packed: View; strided: View } {
  const extent = [length(inputGradient.box[0]), length(inputGradient.box[1]), y.count, x.count] as const;
  const [sample, plane, row, pixel] = inputGradient.view.strides;
  const strided: View = {
    offset: pixelAddress(inputGradient, y.first, x.first),
    extent,
    strides: [sample, plane, row * stride, pixel * stride],
  };
  if (stride === 1) return { packed: strided, strided };
  const box: Box = [
    [0, extent[0]],
    [0, extent[1]],
    [0, y.count],
    [0, x.count],
  ];
  return { packed: storePlanes(linker.buffer(planesBytes(box, NO_BORDER)), box, NO_BORDER).view, strided };
}
