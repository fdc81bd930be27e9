/** How far two runs of the same job lie apart. Relative = max|a - b| / max|b| of a tensor, the largest over all tensors. */

import { MOMENTUM_PREFIX } from '../../src/program/messages.ts';
import type { StepEvent } from '../../src/training/events.ts';
import { relativeError } from './lockstep.ts';
import type { ClusterOutcome } from './memory-cluster.ts';

/** Relative errors between two runs. */
export interface Distance {
  /** Loss of the first step. */
  readonly loss: number;
  /** Gradients of the first step: what momentum is after it, without weight decay. */
  readonly gradients: number;
  /** Weights after the last step. */
  readonly weights: number;
}

/** Losses by step, as rank 0 saw them. */
export function losses({ events }: ClusterOutcome): readonly number[] {
  return events[0]!.filter((event): event is StepEvent => event.kind === 'step').map(({ loss }) => loss);
}

export function distance(run: ClusterOutcome, single: ClusterOutcome): Distance {
  const last = Math.max(...single.snapshots.keys());
  return {
    loss: relativeError([losses(run)[0]!], [losses(single)[0]!]),
    gradients: farthest(run, single, 1, (name) => name.startsWith(MOMENTUM_PREFIX)),
    weights: farthest(run, single, last, (name) => !name.startsWith(MOMENTUM_PREFIX)),
  };
}

/** The largest distance of all tensors of a checkpoint whose names `take` accepts. */
export function farthest(
  run: ClusterOutcome,
  single: ClusterOutcome,
  step: number,
  take: (name: string) => boolean,
): number {
  const [mine, theirs] = [run.snapshots.get(step)!.tensors, single.snapshots.get(step)!.tensors];
  const errors = [...theirs]
    .filter(([name]) => take(name))
    .map(([name, values]) => relativeError(mine.get(name)!, values));
  return Math.max(...errors);
}

export function formatDistance({ loss, gradients, weights }: Distance): string {
  const short = (value: number) => value.toExponential(1);
  return `loss ${short(loss)}, gradients of step 1 ${short(gradients)}, weights at the end ${short(weights)}`;
}

/** Whether two runs have the same bits: every tensor of every checkpoint, and every loss. */
export function sameBits(a: ClusterOutcome, b: ClusterOutcome): boolean {
  const flat = ({ snapshots, ...rest }: ClusterOutcome) => [
    Buffer.from(Float64Array.from(losses({ snapshots, ...rest })).buffer),
    ...[...snapshots].flatMap(([, { tensors }]) =>
      [...tensors]
        .toSorted(([first], [second]) => (first < second ? -1 : 1))
        .map(([, { buffer, byteOffset, byteLength }]) => Buffer.from(buffer, byteOffset, byteLength)),
    ),
  ];
  return Buffer.concat(flat(a)).equals(Buffer.concat(flat(b)));
}
