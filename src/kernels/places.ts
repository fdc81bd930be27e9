/**
 * Places: where the register tiles of a convolution lie in the target. A tile has two halves of some pixels: side by side in one row, or one
 * below the other where a row has an odd number of halves. A row's last half overlaps the one before it, so that nothing beyond the
 * row is read or written; its pixels are computed twice, with the same bits.
 */

import type { ConvolveCall } from '../tensor/call.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';

/** Bytes from a row's first pixel to the first half, and from there to the second: in the source, then in the target. */
type Place = readonly [source: number, sourceStep: number, target: number, targetStep: number];

/** Places in one row, and in two rows together. */
export interface Places {
  readonly row: readonly Place[];
  readonly pair: readonly Place[];
}

/** Places that fill rows of a target, which are as wide as a half at least. @param half pixels of half a tile */
export function tilePlaces({ source, target }: Pick<ConvolveCall, 'source' | 'target'>, half: number): Places {
  const columns = target.extent[3];
  if (columns < half) return { row: [], pair: [] };
  const halves = Array.from({ length: Math.ceil(columns / half) }, (_, h) => Math.min(h * half, columns - half));
  const couples = halves.flatMap((x, h) => (h % 2 === 1 ? [[halves[h - 1]!, x] as const] : []));
  const place = (first: number, second: number, [y, rows]: readonly [y: number, rows: number]): Place => {
    const at = ({ strides }: typeof source): readonly [number, number] => [
      y * strides[2] + first * FLOAT_BYTES,
      rows * strides[2] + (second - first) * FLOAT_BYTES,
    ];
    return [...at(source), ...at(target)];
  };
  const row = (y: number): readonly Place[] => couples.map(([first, second]) => place(first, second, [y, 0]));
  const last = halves.length % 2 === 1 ? halves.at(-1)! : undefined;
  const single = (rows: number): readonly Place[] => (last === undefined ? [] : [place(last, last, [0, rows])]);
  return { row: [...row(0), ...single(0)], pair: [...row(0), ...single(1), ...row(1)] };
}
