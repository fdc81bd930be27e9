/**
 * Gradient of max pooling, through the activation that made its source, and the sums of the result: one pass over each plane, which
 * stays in the cache for its sum.
 */

import { scaleRow } from './activation';
import { Window, cellOf, maximumOf } from './pooling';
import { unpoolPlane } from './pooling-pairs';
import { sumRow } from './sum-planes';
import { View, VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class Epilogue {
  slope: f32;
  /** Address of one float a channel, or 0. */
  sums: usize;
}

const WINDOW: usize = 4 * VIEW_BYTES;
const EPILOGUE: usize = WINDOW + offsetof<Window>();

/** Block: source, target gradient, source gradient, the same in rows as sums take them, {@link Window}, {@link Epilogue}. */
export function maxPoolBackward(block: usize): void {
  const rows = viewOf(block, 3);
  const window = changetype<Window>(block + WINDOW);
  const epilogue = changetype<Epilogue>(block + EPILOGUE);
  for (let c: usize = 0; c < rows.channels; c++) {
    let sum: f64 = 0;
    for (let n: usize = 0; n < rows.samples; n++) {
      plane(block, window, epilogue.slope, n, c);
      if (epilogue.sums == 0) continue;
      for (let y: usize = 0; y < rows.rows; y++) sum += sumRow(rowOf(rows, n, c, y), rows.columns);
    }
    if (epilogue.sums != 0) store<f32>(epilogue.sums + (c << 2), <f32>sum);
  }
}

function plane(block: usize, window: Window, slope: f32, n: usize, c: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const result = viewOf(block, 2);
  const touching = source.pixel == 4 && gradient.pixel == 4 && result.pixel == 4;
  if (touching && window.kernel == 2 && window.stride == 2) {
    unpoolPlane(source, gradient, result, window, slope, n, c);
    return;
  }
  clearPlane(result, n, c);
  spreadPlane(source, gradient, result, window, n, c);
  if (slope == 1) return;
  for (let y: usize = 0; y < result.rows; y++) {
    scaleRow(rowOf(source, n, c, y), rowOf(result, n, c, y), result.columns, slope);
  }
}

function clearPlane(view: View, n: usize, c: usize): void {
  for (let y: usize = 0; y < view.rows; y++) {
    let at = rowOf(view, n, c, y);
    for (let x = view.columns; x != 0; x--, at += view.pixel) store<f32>(at, 0);
  }
}

/** Windows are taken in row-major order, so sums have one order. */
function spreadPlane(source: View, gradient: View, result: View, window: Window, n: usize, c: usize): void {
  const plane = rowOf(source, n, c, 0);
  const origin = rowOf(result, n, c, 0);
  for (let y: usize = 0; y < gradient.rows; y++) {
    let from = rowOf(gradient, n, c, y);
    for (let x: usize = 0; x < gradient.columns; x++, from += gradient.pixel) {
      const at = origin + cellOf(result, maximumOf(source, window, plane, y, x));
      store<f32>(at, load<f32>(at) + load<f32>(from));
    }
  }
}
