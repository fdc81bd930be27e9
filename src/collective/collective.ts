/**
 * Collective: moves the messages of a phase over a session. Redistribute, its adjoint, the sum of gradients at their owners
 * and the hand-out of new weights are all the same thing here: some boxes leave, some arrive.
 */

import { TransportError } from '../errors.ts';
import type { Session, Slot } from '../transport/transport.ts';
import type { TensorChannel } from '../protocol/topics.ts';

/** A message as the wire sees it: who, how much, and where its bytes lie in the arena. */
export interface Transmission {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly channel: TensorChannel;
  readonly bytes: number;
  /** Slot of a received message, or first payload of one to send. */
  readonly address: number;
}

export class Collective {
  readonly #session: Session;
  readonly #devices: readonly string[];
  readonly #onFailure: (reason: unknown) => void;
  /** Slots of each list of arriving messages: the session knows a list again, and then makes nothing new. */
  readonly #slots = new WeakMap<readonly Transmission[], readonly Slot[]>();
  /** Sends whose regions may not be touched yet, by message of the current kind of iteration. */
  readonly #pending = new Map<number, Promise<void>>();

  /** @param devices names by rank; `onFailure` hears of a send that failed for another reason than an abort */
  constructor(session: Session, devices: readonly string[], onFailure: (reason: unknown) => void) {
    this.#session = session;
    this.#devices = devices;
    this.#onFailure = onFailure;
  }

  /** Opens the slots of an iteration. */
  expect(iteration: number, arriving: readonly Transmission[]): void {
    let slots = this.#slots.get(arriving);
    if (!slots) {
      slots = arriving.map(({ id, from, address, bytes }) => ({
        message: id,
        from: this.#name(from),
        offset: address,
        bytes,
      }));
      this.#slots.set(arriving, slots);
    }
    this.#session.expect(iteration, slots);
  }

  /** Waits until the listed messages lie whole in their slots. */
  async arrived(iteration: number, messages: readonly number[], signal: AbortSignal): Promise<void> {
    if (messages.length > 0) await this.#session.arrived(iteration, messages, signal);
  }

  /** Waits until the send regions of these messages may be written again: their last content was acknowledged. */
  async settled(messages: Iterable<number>): Promise<void> {
    for (const message of messages) await this.#pending.get(message);
  }

  /** Waits for every send: before another kind of iteration lays its regions over the same bytes. */
  async allSettled(): Promise<void> {
    await this.settled([...this.#pending.keys()]);
    this.#pending.clear();
  }

  /** Hands messages over to the wire, in order, and returns at once. */
  post(iteration: number, leaving: readonly Transmission[], signal: AbortSignal): void {
    for (const { id, to, channel, address, bytes } of leaving) {
      const outgoing = { message: id, to: this.#name(to), channel, offset: address, bytes };
      const sent = this.#session.send(iteration, outgoing, signal);
      this.#pending.set(id, sent);
      sent.catch((reason: unknown) => this.#onFailure(reason));
    }
  }

  /** Says that the iteration's slots have been read; `checksums` are of the weights held of each rank. */
  free(iteration: number, checksums: ReadonlyMap<number, number>): void {
    this.#session.free(iteration, new Map([...checksums].map(([rank, checksum]) => [this.#name(rank), checksum])));
  }

  /** The checksum that a rank sent when it freed the iteration. */
  freed(iteration: number, rank: number, signal: AbortSignal): Promise<number> {
    return this.#session.freed(iteration, this.#name(rank), signal);
  }

  #name(rank: number): string {
    const name = this.#devices[rank];
    if (name === undefined) throw new TransportError('unknownPeer', `rank ${rank} is not in the plan`);
    return name;
  }
}
