/** The part of a stage's output that a device owns, in few letters: a status has little room. */

import type { Plan } from 'mqtile';

const AXES = ['n', 'c', 'y', 'x'];

/** Stage, counted from 1, and the ranges of its output that are not whole: `2 · y0:7 x7:14`. @param stage index in the plan */
export function partOf({ stages }: Pick<Plan, 'stages'>, stage: number, rank: number): string {
  const { owned } = stages[stage]!;
  const own = owned[rank]!;
  if (own.some(([start, end]) => end <= start)) return `${stage + 1} · nothing here`;
  const ranges = own.flatMap(([start, end], axis) => {
    const whole = owned.every((box) => box[axis]![0] >= start && box[axis]![1] <= end);
    return whole ? [] : [`${AXES[axis]}${start}:${end}`];
  });
  return ranges.length === 0 ? `${stage + 1}` : `${stage + 1} · ${ranges.join(' ')}`;
}
