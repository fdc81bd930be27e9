/** Convolution: weights as kernels want them, forward and input gradient, weight gradient, bias gradient. */

import {
  ROW_BLOCK,
  type ConvolveCall,
  type ConvolveWeightsCall,
  type PackWeightsCall,
  type SumPlanesCall,
} from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import { activate } from './activation.ts';
import { at, positions, read, write, type Memory, type Position } from './memory.ts';

/** See {@link PackWeightsCall}. */
export function packWeights(memory: Memory, call: PackWeightsCall): void {
  let target = call.packed;
  for (let block = 0; block < call.rows; block += ROW_BLOCK) {
    for (let column = 0; column < call.columns; column++) {
      for (const tap of call.taps) {
        for (let row = block; row < block + ROW_BLOCK; row++) {
          const index = row * call.rowStride + column * call.columnStride + tap;
          write(memory, target, row < call.rows ? read(memory, call.weights + index * FLOAT_BYTES) : 0);
          target += FLOAT_BYTES;
        }
      }
    }
  }
}

/** See {@link ConvolveCall}. */
export function convolve(memory: Memory, call: ConvolveCall): void {
  for (const p of positions(call.target)) {
    const row = p[1];
    const bias = call.bias === 0 ? 0 : read(memory, call.bias + row * FLOAT_BYTES);
    write(memory, at(call.target, p), activate(bias + windowProduct(memory, call, p), call.slope));
  }
}

/** Σ_column Σ_tap packed[row][column][tap] · source at the tap, for one output. */
function windowProduct(memory: Memory, { source, packed, taps }: ConvolveCall, [n, row, y, x]: Position): number {
  const columns = source.extent[1];
  const block = packed + Math.floor(row / ROW_BLOCK) * ROW_BLOCK * taps.length * columns * FLOAT_BYTES;
  let weight = block + (row % ROW_BLOCK) * FLOAT_BYTES;
  let sum = 0;
  for (let column = 0; column < columns; column++) {
    for (const tap of taps) {
      sum += read(memory, weight) * read(memory, at(source, [n, column, y, x]) + tap);
      weight += ROW_BLOCK * FLOAT_BYTES;
    }
  }
  return sum;
}

/** See {@link ConvolveWeightsCall}. */
export function convolveWeights(memory: Memory, call: ConvolveWeightsCall): void {
  const inputs = call.source.extent[1];
  for (let output = 0; output < call.gradient.extent[1]; output++) {
    for (let input = 0; input < inputs; input++) {
      call.taps.forEach((tap, t) => {
        const index = (output * inputs + input) * call.kernelTaps + call.tapIndex[t]!;
        write(memory, call.target + index * FLOAT_BYTES, correlation(memory, call, [output, input, tap]));
      });
    }
  }
}

/** Σ_n Σ_y Σ_x gradient[n, output, y, x] · source[n, input, (y, x) at + tap bytes]. */
function correlation(
  memory: Memory,
  { source, gradient }: ConvolveWeightsCall,
  [output, input, tap]: readonly [output: number, input: number, tap: number],
): number {
  const [samples, , rows, columns] = gradient.extent;
  let sum = 0;
  for (let n = 0; n < samples; n++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        sum += read(memory, at(gradient, [n, output, y, x])) * read(memory, at(source, [n, input, y, x]) + tap);
      }
    }
  }
  return sum;
}

/** See {@link SumPlanesCall}. */
export function sumPlanes(memory: Memory, { source, target }: SumPlanesCall): void {
  const sums = new Float64Array(source.extent[1]);
  for (const p of positions(source)) sums[p[1]]! += read(memory, at(source, p));
  sums.forEach((sum, channel) => write(memory, target + channel * FLOAT_BYTES, sum));
}
