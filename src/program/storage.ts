/**
 * Storage: what keeps its place in the arena from the first iteration to the last. In this order:
 *
 *     (64 B never used) | parameters | momentum | metrics | rate | checksums | images x2 | labels x2 | slots x2 | send regions | temporary buffers
 *
 * Images, labels and receive slots exist twice, by parity of the iteration: one is read while the next one fills.
 */

import { METRICS, type ParameterPlan, type Plan } from '../planner/plan.ts';
import { length, volume, type Range } from '../tensor/box.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import { ALIGNMENT, align } from './linker.ts';
import { bucketsOf, type Message } from './messages.ts';

/** How messages are framed on the wire: payload in chunks, room for a header before each. */
export interface Framing {
  readonly chunkBytes: number;
  readonly headerBytes: number;
}

/** A parameter box that this device updates, and its momentum. */
export interface OwnedPiece {
  readonly parameter: ParameterPlan;
  readonly box: ParameterPlan['pieces'][number]['box'];
  /** Address of the momentum's float32 values, or 0 when the optimizer keeps none. */
  readonly momentum: number;
}

/** Even and odd iterations. */
export type ByParity = readonly [even: number, odd: number];

export interface Storage {
  /** Address of each held parameter, by name; whole tensors. */
  readonly parameters: ReadonlyMap<string, number>;
  readonly owned: readonly OwnedPiece[];
  readonly metrics: number;
  /** The learning rate of the step, one float32. */
  readonly rate: number;
  /** One 32-bit checksum per bucket of weights, in the order of `bucketsOf`. */
  readonly checksums: number;
  readonly images: ByParity;
  readonly labels: ByParity;
  readonly slots: ByParity;
  readonly send: number;
  readonly end: number;
}

export interface StorageRequest {
  readonly plan: Plan;
  readonly rank: number;
  readonly momentum: boolean;
  /** Samples whose images this device needs, and bytes of one image. */
  readonly samples: Range;
  readonly imageBytes: number;
  readonly slotBytes: number;
  readonly sendBytes: number;
}

export function layoutStorage(request: StorageRequest): Storage {
  const { plan, rank } = request;
  let next = ALIGNMENT;
  const take = (bytes: number) => {
    const address = next;
    next += align(bytes);
    return address;
  };
  const twice = (bytes: number): ByParity => [take(bytes), take(bytes)];
  const held = plan.parameters.filter(({ name, holders }) => name !== METRICS && holders.includes(rank));
  const parameters = new Map(held.map(({ name, extent }) => [name, take(extentBytes(extent))]));
  const owned = plan.parameters
    .filter(({ name }) => name !== METRICS)
    .flatMap((parameter) =>
      parameter.pieces
        .filter(({ owner }) => owner === rank)
        .map(({ box }) => ({ parameter, box, momentum: request.momentum ? take(volume(box) * FLOAT_BYTES) : 0 })),
    );
  return {
    parameters,
    owned,
    metrics: take(extentBytes(plan.parameters.at(-1)!.extent)),
    rate: take(FLOAT_BYTES),
    checksums: take(bucketsOf(plan).length * 4),
    images: twice(length(request.samples) * request.imageBytes),
    labels: twice(plan.batch * 4),
    slots: twice(request.slotBytes),
    send: take(request.sendBytes),
    end: next,
  };
}

export function extentBytes(extent: ParameterPlan['extent']): number {
  return extent.reduce((product, n) => product * n, 1) * FLOAT_BYTES;
}

/** Relative addresses of the messages that a rank receives, and their total. */
export function layoutSlots(
  messages: readonly Message[],
  rank: number,
): { offsets: ReadonlyMap<number, number>; bytes: number } {
  return layoutMessages(
    messages.filter(({ to }) => to === rank),
    (bytes) => bytes,
    0,
  );
}

/** Relative addresses of the payloads that a rank sends, with room for a header before each chunk, and their total. */
export function layoutSends(
  messages: readonly Message[],
  rank: number,
  framing: Framing,
): { offsets: ReadonlyMap<number, number>; bytes: number } {
  return layoutMessages(
    messages.filter(({ from }) => from === rank),
    (bytes) => bytes + chunks(bytes, framing) * framing.headerBytes,
    framing.headerBytes,
  );
}

function chunks(bytes: number, { chunkBytes }: Framing): number {
  return Math.max(1, Math.ceil(bytes / chunkBytes));
}

function layoutMessages(messages: readonly Message[], size: (bytes: number) => number, lead: number) {
  let next = 0;
  const offsets = new Map<number, number>();
  for (const { id, bytes } of messages) {
    offsets.set(id, next + lead);
    next += align(size(bytes));
  }
  return { offsets, bytes: next };
}
