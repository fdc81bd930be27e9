/** Acknowledging side of a session towards one peer: at most one control frame a turn of the event loop, whatever arrived in it. */

import { ACK_BYTES, ACK_CHECKSUMS, ACK_PLACED, emptyAcknowledgement, encodeAck } from '../protocol/ack.ts';
import type { Checksum } from '../protocol/bytes.ts';
import type { Route, Wire } from './wire.ts';

/** What acknowledgements of a session share. */
export interface AcknowledgeContext {
  readonly wire: Wire;
  readonly identity: Uint8Array;
  readonly crc: Checksum;
  sent(bytes: number): void;
}

/** Collects what to tell one peer and tells it. */
export class Acknowledger {
  readonly #context: AcknowledgeContext;
  readonly #route: Route;
  readonly #ack = emptyAcknowledgement();
  readonly #buffer = new Uint8Array(ACK_BYTES);
  #news = false;
  #writing = false;
  #scheduled = false;
  #closed = false;

  constructor(route: Route, context: AcknowledgeContext) {
    this.#route = route;
    this.#context = context;
  }

  /** A chunk lies in its slot. Beyond the bound it is forgotten: the sender repeats it. */
  placed(iteration: number, message: number, chunk: number): void {
    const ack = this.#ack;
    if (ack.placed < ACK_PLACED) {
      const at = 3 * ack.placed++;
      ack.placedChunks[at] = iteration;
      ack.placedChunks[at + 1] = message;
      ack.placedChunks[at + 2] = chunk;
    }
    this.tell();
  }

  /** All slots of an iteration were read. */
  freed(iteration: number, checksum: number): void {
    this.#ack.freed = iteration;
    this.#ack.checksums[iteration % ACK_CHECKSUMS] = checksum;
    this.tell();
  }

  /** Sends a frame at the end of this turn, even when there is nothing but `freed` to say. */
  tell(): void {
    this.#news = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  close(): void {
    this.#closed = true;
  }

  /** The buffer is one: while it is being written, news gather. */
  #flush(): void {
    if (this.#closed || !this.#news || this.#writing || !this.#context.wire.isUp(this.#route.peer)) return;
    const bytes = encodeAck(this.#buffer, this.#ack, this.#context.identity, this.#context.crc);
    this.#ack.placed = 0;
    this.#ack.rejects = 0;
    this.#news = false;
    this.#writing = true;
    this.#context.sent(bytes);
    this.#context.wire.send(this.#route, this.#buffer.subarray(0, bytes), () => {
      this.#writing = false;
      if (this.#news) this.tell();
    });
  }
}
