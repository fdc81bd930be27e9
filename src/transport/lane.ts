/**
 * Lane: the sending side of a session towards one peer. Messages wait for credit, then for the wire, then for acknowledgement.
 *
 *     send → held (no credit yet) → urgent | bulk (waits for the wire) → under way (written, not acknowledged) → done
 *
 * Bytes under way are bounded, so that what is urgent never stands behind more than that.
 */

import { TransportError } from '../errors.ts';
import { ACK_CHECKSUMS, checksumOf } from '../protocol/ack.ts';
import type { Acknowledgement } from '../protocol/ack.ts';
import { FRAME_BYTES } from '../protocol/frame.ts';
import { CREDIT_ITERATIONS } from './inbound.ts';
import type { FrameSource, Sending } from './sending.ts';
import type { Wait, Waits } from './waits.ts';
import type { Wire } from './wire.ts';

/** Bytes under way to a peer from which parameter buckets wait. */
const BULK_BYTES = 4 * FRAME_BYTES;

/** Bytes under way to a peer from which halos wait too. */
const URGENT_BYTES = 8 * FRAME_BYTES;

/** Checksums of freed iterations that are remembered for late questions. */
const REMEMBERED = 64;

interface FreedWait extends Wait {
  readonly iteration: number;
  resolve(checksum: number): void;
}

/** What lanes of a session share. */
export interface LaneContext extends FrameSource {
  readonly wire: Wire;
  readonly waits: Waits;
  readonly nowMs: () => number;
  /** Longest time between repetitions, in ms. */
  readonly delayLimitMs: number;
  /** Told of every frame handed to the wire. */
  sent(bytes: number): void;
  /** Told of chunks that have to be sent again. */
  resent(chunks: number): void;
}

/** Everything on its way to one peer. */
export class Lane {
  /** Last iteration that the peer has freed. */
  freed = -1;
  readonly #peer: string;
  readonly #context: LaneContext;
  readonly #open = new Map<number, Sending>();
  #held: Sending[] = [];
  readonly #urgent: Sending[] = [];
  readonly #bulk: Sending[] = [];
  #underwayBytes = 0;
  readonly #checksums = new Float64Array(REMEMBERED).fill(Number.NaN);
  #freedWaits: FreedWait[] = [];

  constructor(peer: string, context: LaneContext) {
    this.#peer = peer;
    this.#context = context;
  }

  /** Takes a message on; rejects it with `alreadySending` when the same one is on its way. */
  send(sending: Sending): void {
    const key = keyOf(sending.iteration, sending.outgoing.message);
    if (this.#open.has(key)) {
      const text = `message ${sending.outgoing.message} of iteration ${sending.iteration} is on its way already`;
      return sending.reject(new TransportError('alreadySending', text));
    }
    if (!this.#context.waits.add(sending)) return;
    this.#open.set(key, sending);
    if (sending.iteration > this.freed + CREDIT_ITERATIONS) this.#held.push(sending);
    else {
      this.#enqueue(sending);
      this.#pump();
    }
  }

  /** Resolves with the peer's checksum once it has freed the iteration. */
  whenFreed(iteration: number, signal: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const wait: FreedWait = { iteration, signal, resolve, reject };
    if (iteration <= this.freed) this.#answer(wait);
    else if (this.#context.waits.add(wait)) this.#freedWaits.push(wait);
    return promise;
  }

  /** Applies a checked acknowledgement of this run. */
  acknowledged(ack: Acknowledgement): void {
    for (let i = 0; i < 3 * ack.placed; i += 3) {
      const sending = this.#open.get(keyOf(ack.placedChunks[i]!, ack.placedChunks[i + 1]!));
      if (!sending) continue;
      this.#underwayBytes -= sending.acknowledge(ack.placedChunks[i + 2]!);
      this.#settle(sending);
    }
    if (ack.freed > this.freed) this.#advance(ack);
    this.#pump();
  }

  /** The peer can be reached again: whatever was under way may be lost. */
  reconnected(): void {
    for (const sending of this.#open.values()) this.#again(sending);
    this.#pump();
  }

  /** Sends again what was written long ago and is not acknowledged. */
  repeatOverdue(nowMs: number): void {
    if (!this.#context.wire.isUp(this.#peer)) return;
    for (const sending of this.#open.values()) {
      if (nowMs < sending.dueMs) continue;
      sending.delayMs = Math.min(2 * sending.delayMs, this.#context.delayLimitMs);
      this.#again(sending);
    }
    this.#pump();
  }

  #again(sending: Sending): void {
    const [bytes, chunks] = sending.again();
    this.#underwayBytes -= bytes;
    if (sending.signal.aborted) return this.#forget(sending);
    if (chunks === 0) return;
    this.#context.resent(chunks);
    this.#enqueue(sending);
  }

  #enqueue(sending: Sending): void {
    if (sending.queued) return;
    sending.queued = true;
    (sending.outgoing.channel === 'weights' ? this.#bulk : this.#urgent).push(sending);
  }

  #pump(): void {
    if (!this.#context.wire.isUp(this.#peer)) return;
    while (this.#pumpOne(this.#urgent, URGENT_BYTES));
    if (this.#urgent.length === 0) while (this.#pumpOne(this.#bulk, BULK_BYTES));
  }

  /** Hands one chunk of the first message of a queue to the wire. @returns whether there may be more to do */
  #pumpOne(queue: Sending[], limitBytes: number): boolean {
    const sending = queue[0];
    if (!sending || this.#underwayBytes >= limitBytes) return false;
    const chunk = sending.signal.aborted ? -1 : sending.next();
    if (chunk < 0) {
      queue.shift();
      sending.queued = false;
      return true;
    }
    const frame = sending.take(chunk, this.#context);
    this.#underwayBytes += frame.length;
    this.#context.sent(frame.length);
    this.#context.wire.send(sending.route, frame, () => {
      sending.written(chunk, this.#context.nowMs());
      this.#settle(sending);
    });
    return true;
  }

  #settle(sending: Sending): void {
    if (!sending.done) return;
    this.#forget(sending);
    sending.resolve();
  }

  #forget(sending: Sending): void {
    this.#open.delete(keyOf(sending.iteration, sending.outgoing.message));
    this.#context.waits.delete(sending);
  }

  #advance(ack: Acknowledgement): void {
    for (let back = ACK_CHECKSUMS - 1; back >= 0; back--) {
      const iteration = ack.freed - back;
      if (iteration > this.freed) this.#checksums[iteration % REMEMBERED] = checksumOf(ack, iteration);
    }
    for (let missed = this.freed + 1; missed <= ack.freed - ACK_CHECKSUMS; missed++) {
      this.#checksums[missed % REMEMBERED] = Number.NaN;
    }
    this.freed = ack.freed;
    const held = this.#held;
    if (held.length > 0) {
      this.#held = held.filter((sending) => sending.iteration > this.freed + CREDIT_ITERATIONS);
      for (const sending of held) if (sending.iteration <= this.freed + CREDIT_ITERATIONS) this.#enqueue(sending);
    }
    const waits = this.#freedWaits;
    if (waits.length === 0) return;
    this.#freedWaits = waits.filter((wait) => wait.iteration > this.freed);
    for (const wait of waits) if (wait.iteration <= this.freed) this.#answer(wait);
  }

  #answer(wait: FreedWait): void {
    this.#context.waits.delete(wait);
    const checksum =
      this.freed - wait.iteration < REMEMBERED ? this.#checksums[wait.iteration % REMEMBERED]! : Number.NaN;
    if (Number.isNaN(checksum)) {
      const message = `${this.#peer} freed iteration ${wait.iteration} long before it was asked for its checksum`;
      wait.reject(new TransportError('checksumMissed', message));
    } else wait.resolve(checksum);
  }
}

/** Messages of a lane by iteration and number (both 32 bits), as one number that is exact up to iteration 2^21. */
function keyOf(iteration: number, message: number): number {
  return iteration * 0x1_0000_0000 + message;
}
