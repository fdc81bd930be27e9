/** Parameter blocks: 32-bit words that a kernel in WebAssembly reads. Views come first, then fields, then lists. */

import type { Extent } from '../tensor/box.ts';
import type { View } from '../tensor/view.ts';

/** Bytes of one word. */
export const WORD_BYTES = 4;

const floats = new Float32Array(1);
const doubles = new Float64Array(1);
const floatBits = new Int32Array(floats.buffer);
const doubleBits = new Int32Array(doubles.buffer);

/** The word of a float32. */
export function float32(value: number): number {
  floats[0] = value;
  return floatBits[0]!;
}

/** The two words of a float64. */
export function float64(value: number): readonly number[] {
  doubles[0] = value;
  return [...doubleBits];
}

/** Words that a kernel uses as it likes. */
export function room(words: number): readonly number[] {
  return Array.from({ length: words }, () => 0);
}

/** The nine words of a view: offset, extents, strides. */
export function viewWords(view: View): readonly number[] {
  return [view.offset, ...view.extent, ...view.strides];
}

/**
 * The same elements in the same order with fewer, longer rows, where all views allow it.
 * @param lastAxis the outermost axis that may become part of the rows: 0 samples, 1 channels, 2 rows
 */
export function joinRows(views: readonly View[], lastAxis: 0 | 1 | 2 = 0): readonly View[] {
  const extent = [...views[0]!.extent] as [number, number, number, number];
  for (let axis = 2; axis >= lastAxis; axis--) {
    const joins = views.every(({ strides }) => extent[axis] === 1 || strides[axis] === extent[3] * strides[3]);
    if (!joins) break;
    extent[3] *= extent[axis]!;
    extent[axis] = 1;
  }
  return views.map((view): View => ({ ...view, extent: extent as Extent }));
}
