/** Derivative of (leaky) ReLU, from its output. */

import { VIEW_BYTES, rowOf, viewOf } from './view';

/** Block: output, gradient, slope (float32). Rows go four pixels at a time, the remainder one by one. */
export function activationBackward(block: usize): void {
  const output = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const slope = load<f32>(block + 2 * VIEW_BYTES);
  for (let n: usize = 0; n < gradient.samples; n++) {
    for (let c: usize = 0; c < gradient.channels; c++) {
      for (let y: usize = 0; y < gradient.rows; y++) {
        scaleRow(rowOf(output, n, c, y), rowOf(gradient, n, c, y), gradient.columns, slope);
      }
    }
  }
}

/** gradient *= output > 0 ? 1 : slope, over `count` pixels side by side. */
export function scaleRow(output: usize, gradient: usize, count: usize, slope: f32): void {
  const slopes = f32x4.splat(slope);
  const zero = f32x4.splat(0);
  for (; count >= 4; count -= 4, output += 16, gradient += 16) {
    const g = v128.load(gradient);
    v128.store(gradient, v128.bitselect(g, f32x4.mul(g, slopes), f32x4.gt(v128.load(output), zero)));
  }
  for (; count != 0; count--, output += 4, gradient += 4) {
    if (!(load<f32>(output) > 0)) store<f32>(gradient, load<f32>(gradient) * slope);
  }
}
