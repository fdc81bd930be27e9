/** Program: what one device executes, decided before the first step. Pure data. */

import type { LossKind } from '../model/layers.ts';
import type { Box } from '../tensor/box.ts';
import type { KernelCall } from '../tensor/call.ts';
import type { View } from '../tensor/view.ts';
import type { IterationKind, Message } from './messages.ts';
import type { Storage } from './storage.ts';

/** Wait for these messages, run these calls as one submission, send those messages; then wait for what others read, not the calls. */
export interface Phase {
  /** Ids of the messages whose slots these calls are the first to read; what lies there stays up to the end of the iteration. */
  readonly receive: readonly number[];
  /** Calls for even and for odd iterations: only slots and staging differ. */
  readonly calls: readonly [even: readonly KernelCall[], odd: readonly KernelCall[]];
  /** By call: index of the layer of the model that it works for, undefined where it is none. */
  readonly layers: readonly (number | undefined)[];
  /** By call of a backward: whether it computes again what forward computed. */
  readonly recomputed: readonly boolean[];
  /** Messages whose send regions the calls filled, nearest higher rank first, so that links do not collide. */
  readonly send: readonly Message[];
  /** Ids of the messages that must have arrived when the phase ends; no call reads them, so that nobody waits before it has sent. */
  readonly collect: readonly number[];
}

/** A tensor that can be read between phases: storage of a box. */
export interface Readable {
  readonly box: Box;
  readonly view: View;
}

/** One kind of iteration over one number of samples. */
export interface IterationProgram {
  readonly kind: IterationKind;
  readonly samples: number;
  readonly messages: readonly Message[];
  /** Slot address of each received message, by message id, for even and odd iterations. */
  readonly slots: readonly [even: ReadonlyMap<number, number>, odd: ReadonlyMap<number, number>];
  /** Address of the first chunk's payload of each sent message. */
  readonly sends: ReadonlyMap<number, number>;
  /** By stage; `backward` is empty unless kind is train. */
  readonly forward: readonly Phase[];
  readonly loss: Phase;
  readonly backward: readonly Phase[];
  /** By stage: packs gradients for their owners. */
  readonly reduce: readonly Phase[];
  /** By stage: owners sum, update and hand out. */
  readonly update: readonly Phase[];
  /** Holders take over what arrived, and checksum it. */
  readonly apply: Phase;
  /** Checkpoint: owners send to writers. */
  readonly gather: Phase;
  /** By stage: its output, while the iteration lasts long enough; undefined where the box is empty. */
  readonly outputs: readonly (Readable | undefined)[];
  /** The gradient of the last stage's output, undefined where the box is empty. */
  readonly outputGradient: Readable | undefined;
  /** By stage: the gradient of its input, undefined where none is computed. */
  readonly inputGradients: readonly (Readable | undefined)[];
}

/** Everything that a device executes, and the arena it executes it in. */
export interface Program {
  readonly rank: number;
  /** Decides whether the sums of an iteration count correct answers. */
  readonly loss: LossKind;
  readonly arenaBytes: number;
  readonly storage: Storage;
  /** By kind and samples: see {@link iterationKey}. */
  readonly iterations: ReadonlyMap<string, IterationProgram>;
}

export function iterationKey(kind: IterationKind, samples: number): string {
  return kind === 'checkpoint' ? kind : `${kind}:${samples}`;
}
