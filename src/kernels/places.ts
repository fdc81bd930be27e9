/**
 * Places: where the register tiles of a convolution lie in the target. A tile has two halves of four or eight pixels, in the same row or not:
 *
 *     rows whose last half overlaps the one before it,    or of which some together have the rest in a tile of its own:
 *     so that nothing beyond the row is read or written
 *     aaaa aaaa bb(bb)bb                                  aaaa aaaa bbbb ee
 *     bbbb cccc cc(cc)cc                                  bbbb cccc cccc ee
 *                                                         dddd dddd ffff ee
 *                                                         ffff gggg gggg ee
 */

import type { ConvolveCall } from '../tensor/call.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';

/** Bytes from the first row's first pixel to the first half (or pixels side by side), and from there to the next: in the source, then in the target. */
type Place = readonly [source: number, sourceStep: number, target: number, targetStep: number];

/** Places that fill some rows together. */
export interface PlaceList {
  readonly rows: number;
  /** Pixels of a tile that lie side by side, each as many bytes from those before: 4 in tiles of halves. */
  readonly beside: 4 | 2 | 1;
  /** Whether the next list fills the rest of the same rows. */
  readonly stays: boolean;
  readonly places: readonly Place[];
}

type Position = readonly [row: number, column: number];

/** Pixels of a vector, and of a tile of vectors. */
const VECTOR = 4;
const TILE = 8;

/**
 * Lists of places for a target: a strip is filled with the first one as far as its rows go together, then with the next one.
 * @param half pixels of half a tile, at most as many as a row has
 */
export function tilePlaces(call: Pick<ConvolveCall, 'source' | 'target'>, half: number): readonly PlaceList[] {
  const columns = call.target.extent[3];
  if (columns < half) return [];
  const rest = columns % VECTOR;
  const overlapping = Array.from({ length: Math.ceil(columns / half) }, (_, h) => Math.min(h * half, columns - half));
  const list = (rows: number, starts: readonly number[]): PlaceList => {
    const halves = Array.from({ length: rows }, (_, y) => starts.map((x): Position => [y, x])).flat();
    const places = halves.flatMap((first, h) => (h % 2 === 0 ? [placeOf(call, first, halves[h + 1] ?? first)] : []));
    return { rows, beside: VECTOR, stays: false, places };
  };
  const whole = [list(2, overlapping), list(1, overlapping)];
  if (half !== VECTOR || (rest !== 1 && rest !== 2)) return whole;
  const [rows, last] = [TILE / rest, columns - rest];
  const ends: PlaceList = { rows, beside: rest, stays: true, places: [placeOf(call, [0, last], [1, last])] };
  return [ends, list(rows, overlapping.slice(0, -1)), ...whole];
}

/** Rows that are filled together at most. */
export function rowsTogether(lists: readonly PlaceList[]): number {
  return Math.max(1, ...lists.map(({ rows }) => rows));
}

function placeOf(
  { source, target }: Pick<ConvolveCall, 'source' | 'target'>,
  first: Position,
  second: Position,
): Place {
  const at = ({ strides }: typeof source, [y, x]: Position): number => y * strides[2] + x * FLOAT_BYTES;
  const step = (view: typeof source): number => at(view, second) - at(view, first);
  return [at(source, first), step(source), at(target, first), step(target)];
}
