/** One message on its way out: which of its chunks wait for the wire, are being written, are acknowledged. */

import { CHUNK_BYTES, chunkCount, encodeFrame, HEADER_BYTES } from '../protocol/frame.ts';
import type { Checksum } from '../protocol/bytes.ts';
import type { Outgoing } from './transport.ts';
import type { Wait } from './waits.ts';
import type { Route } from './wire.ts';

const WAITING = 1;
const WRITING = 2;
/** Counted in the bytes under way to the peer. */
const UNDERWAY = 4;
const ACKNOWLEDGED = 8;
const ENCODED = 16;

/** What a message needs to become frames. */
export interface FrameSource {
  readonly memory: Uint8Array;
  readonly identity: Uint8Array;
  readonly crc: Checksum;
}

/** A message that `send` was called for, until it is acknowledged and no write of it is pending. */
export class Sending implements Wait {
  readonly iteration: number;
  readonly outgoing: Outgoing;
  readonly route: Route;
  readonly signal: AbortSignal;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  /** Whether it stands in a queue for the wire. */
  queued = false;
  /** When what is not acknowledged is sent again, in ms of the session's clock; infinite while nothing is written. */
  dueMs = Number.POSITIVE_INFINITY;
  /** Time from a write to its repetition, in ms. */
  delayMs: number;
  readonly #chunks: Uint8Array;
  #unacknowledged: number;
  #writing = 0;
  #next = 0;

  constructor(iteration: number, outgoing: Outgoing, route: Route, wait: { signal: AbortSignal; delayMs: number }) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.iteration = iteration;
    this.outgoing = outgoing;
    this.route = route;
    this.signal = wait.signal;
    this.delayMs = wait.delayMs;
    this.promise = promise;
    this.resolve = resolve;
    this.reject = reject;
    this.#chunks = new Uint8Array(chunkCount(outgoing.bytes)).fill(WAITING);
    this.#unacknowledged = this.#chunks.length;
  }

  /** Whether the region may be used again. */
  get done(): boolean {
    return this.#unacknowledged === 0 && this.#writing === 0;
  }

  /** The next chunk that waits for the wire, or -1. */
  next(): number {
    for (; this.#next < this.#chunks.length; this.#next++) {
      if (this.#chunks[this.#next]! & WAITING) return this.#next;
    }
    return -1;
  }

  /** Bytes of a chunk's frame, header included. */
  frameBytes(chunk: number): number {
    return HEADER_BYTES + Math.min(CHUNK_BYTES, this.outgoing.bytes - chunk * CHUNK_BYTES);
  }

  /** Takes a waiting chunk for writing: its frame, with the header in the room before it. Headers are written once: what is sent again is the same. */
  take(chunk: number, source: FrameSource): Uint8Array {
    const start = this.outgoing.offset + chunk * (CHUNK_BYTES + HEADER_BYTES) - HEADER_BYTES;
    const frame = source.memory.subarray(start, start + this.frameBytes(chunk));
    if (!(this.#chunks[chunk]! & ENCODED)) {
      const { message, bytes: totalBytes } = this.outgoing;
      encodeFrame(frame, { iteration: this.iteration, message, chunk, totalBytes }, source.identity, source.crc);
    }
    this.#chunks[chunk] = WRITING | UNDERWAY | ENCODED;
    this.#writing++;
    return frame;
  }

  /** A write of a chunk ended, well or not. */
  written(chunk: number, nowMs: number): void {
    this.#chunks[chunk]! &= ~WRITING;
    this.#writing--;
    this.dueMs = nowMs + this.delayMs;
  }

  /** A chunk was placed by the receiver. @returns frame bytes that are not under way any more */
  acknowledge(chunk: number): number {
    const flags = this.#chunks[chunk];
    if (flags === undefined || flags & ACKNOWLEDGED) return 0;
    this.#chunks[chunk] = (flags & WRITING) | ACKNOWLEDGED;
    this.#unacknowledged--;
    return flags & UNDERWAY ? this.frameBytes(chunk) : 0;
  }

  /**
   * Lets every chunk that was written and not acknowledged wait for the wire again.
   * @returns [frame bytes that are not under way any more, chunks]
   */
  again(): [bytes: number, chunks: number] {
    let bytes = 0;
    let chunks = 0;
    for (let chunk = 0; chunk < this.#chunks.length; chunk++) {
      const flags = this.#chunks[chunk]!;
      if (!(flags & UNDERWAY) || flags & WRITING) continue;
      this.#chunks[chunk] = WAITING | ENCODED;
      bytes += this.frameBytes(chunk);
      chunks++;
    }
    if (chunks > 0) this.#next = 0;
    this.dueMs = Number.POSITIVE_INFINITY;
    return [bytes, chunks];
  }
}
