/** The gradient of a convolution's input as kernel calls: a convolution of the output's gradient with mirrored weights, phase by phase of the stride. */

import type { Conv2d } from '../model/layers.ts';
import { length, type Box, type Range } from '../tensor/box.ts';
import type { View } from '../tensor/view.ts';
import type { Linker } from './linker.ts';
import { emitPackedWeights } from './packed-weights.ts';
import { NO_BORDER, pixelAddress, planesBytes, storePlanes, storedBytes, type Stored } from './planes.ts';

export interface GradientSite {
  readonly convolution: Conv2d;
  /** Address of the weights, as PyTorch lays them out. */
  readonly weights: number;
  readonly outputGradient: Stored;
  readonly inputGradient: Stored;
}

/** Input gradient, phase by phase: input cells i with (i + padding) mod stride = phase see the taps phase, phase + stride, … */
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

/** One axis of a phase: input cells first, first + stride, …; output cell of the first one at tap `phase`; number of taps. */
interface PhaseAxis {
  readonly first: number;
  readonly count: number;
  readonly output: number;
  readonly taps: number;
}

function phaseAxis({ kernel, stride, padding }: Conv2d, cells: Range, phase: number): PhaseAxis {
  const offset = (((phase - padding - cells[0]) % stride) + stride) % stride;
  const first = cells[0] + offset;
  return {
    first,
    count: Math.max(0, Math.ceil((cells[1] - first) / stride)),
    output: (first + padding - phase) / stride,
    taps: Math.max(0, Math.ceil((kernel - phase) / stride)),
  };
}

function emitGradientPhase(linker: Linker, phase: GradientPhase): void {
  const { convolution, outputGradient, inputGradient, weights } = phase;
  const { kernel, stride } = convolution;
  const y = phaseAxis(convolution, inputGradient.box[2], phase.phaseY);
  const x = phaseAxis(convolution, inputGradient.box[3], phase.phaseX);
  if (y.count * x.count * y.taps * x.taps === 0) return;
  const [rows, columns] = [length(inputGradient.box[1]), convolution.filters];
  // Taps in the order in which their output cells lie in memory: the last tap looks furthest back.
  const pairs = Array.from({ length: y.taps * x.taps }, (_, i) => [Math.floor(i / x.taps), i % x.taps] as const);
  const taps = pairs.map(
    ([a, b]) => (phase.phaseY + stride * (y.taps - 1 - a)) * kernel + phase.phaseX + stride * (x.taps - 1 - b),
  );
  const [rowStride, columnStride] = [kernel ** 2, rows * kernel ** 2];
  const packed = emitPackedWeights(linker, { weights, rows, columns, rowStride, columnStride, taps });
  const [, , row, pixel] = outputGradient.view.strides;
  const offset = pixelAddress(outputGradient, y.output - (y.taps - 1), x.output - (x.taps - 1));
  const target = phaseTarget(linker, inputGradient, y, x, stride);
  linker.emit({
    kind: 'convolve',
    source: { ...outputGradient.view, offset },
    target: target.packed,
    packed,
    taps: pairs.map(([a, b]) => a * row + b * pixel),
    bias: 0,
    slope: 1,
  });
  if (target.packed !== target.strided) linker.emit({ kind: 'copy', source: target.packed, target: target.strided });
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
