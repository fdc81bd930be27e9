/** Receiving side of a session: slots by iteration and message, and who waits for them. */

import { TransportError } from '../errors.ts';
import { CHUNK_BYTES, chunkCount } from '../protocol/frame.ts';
import type { FrameFields } from '../protocol/frame.ts';
import type { Slot } from './transport.ts';
import type { Wait, Waits } from './waits.ts';

/** Iterations that a sender may be ahead of the last freed one: slots exist twice. */
export const CREDIT_ITERATIONS = 2;

/** What became of a sound frame: `placed` now, `duplicate` of one placed before, or why it was not taken. */
export type Placement = 'placed' | 'duplicate' | 'credit' | 'message' | 'size';

interface Arrival extends Wait {
  missing: number;
  resolve(): void;
}

/** A message on its way into its slot. */
interface Incoming {
  readonly slot: Slot;
  readonly placed: Uint8Array;
  missing: number;
  readonly arrivals: Arrival[];
}

/** Slots of one iteration. */
interface Table {
  iteration: number;
  readonly messages: ReadonlyMap<number, Incoming>;
}

/** Places chunks into slots exactly once. */
export class Inbound {
  /** Last iteration whose slots have all been read. */
  freed = -1;
  readonly #memory: Uint8Array;
  readonly #waits: Waits;
  readonly #tables = new Map<number, Table>();
  /** Tables by the list of slots they were made for: the same lists come back every other iteration. */
  readonly #made = new WeakMap<readonly Slot[], Table[]>();

  constructor(memory: Uint8Array, waits: Waits) {
    this.#memory = memory;
    this.#waits = waits;
  }

  /** Opens the slots of an iteration. @throws TransportError outOfOrder, slotOutside */
  expect(iteration: number, slots: readonly Slot[]): void {
    if (iteration <= this.freed || this.#tables.has(iteration)) {
      throw new TransportError('outOfOrder', `slots of iteration ${iteration} were already given or freed`);
    }
    const made = this.#made.get(slots) ?? [];
    let table = made.find((candidate) => candidate.iteration <= this.freed);
    if (table) {
      for (const incoming of table.messages.values()) reset(incoming);
      table.iteration = iteration;
    } else {
      table = { iteration, messages: new Map(slots.map((slot) => [slot.message, this.#incoming(slot)])) };
      made.push(table);
      this.#made.set(slots, made);
    }
    this.#tables.set(iteration, table);
  }

  /** Copies a chunk into its slot, unless it is there already or nobody expects it. The payload follows the header in `frame`. */
  place(from: string, fields: FrameFields, payload: Uint8Array): Placement {
    const { iteration, chunk } = fields;
    if (iteration <= this.freed) return 'duplicate';
    if (iteration > this.freed + CREDIT_ITERATIONS) return 'credit';
    const incoming = this.#tables.get(iteration)?.messages.get(fields.message);
    if (!incoming || incoming.slot.from !== from) return 'message';
    if (incoming.slot.bytes !== fields.totalBytes) return 'size';
    if (incoming.placed[chunk]) return 'duplicate';
    this.#memory.set(payload, incoming.slot.offset + chunk * CHUNK_BYTES);
    incoming.placed[chunk] = 1;
    if (--incoming.missing === 0) this.#complete(incoming);
    return 'placed';
  }

  /** Resolves when all listed messages lie whole in their slots. */
  arrived(iteration: number, messages: readonly number[], signal: AbortSignal): Promise<void> {
    const table = this.#tables.get(iteration);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const arrival: Arrival = { signal, resolve, reject, missing: 0 };
    for (const message of messages) {
      const incoming = table?.messages.get(message);
      if (!incoming) {
        reject(new TransportError('unexpectedMessage', `nothing expects message ${message} in iteration ${iteration}`));
        return promise;
      }
      if (incoming.missing === 0) continue;
      incoming.arrivals.push(arrival);
      arrival.missing++;
    }
    if (arrival.missing === 0) resolve();
    else this.#waits.add(arrival);
    return promise;
  }

  /** Closes the slots up to an iteration. @throws TransportError outOfOrder */
  free(iteration: number): void {
    if (iteration !== this.freed + 1) {
      throw new TransportError(
        'outOfOrder',
        `iteration ${iteration} freed after ${this.freed}: they are freed one by one`,
      );
    }
    this.freed = iteration;
    this.#tables.delete(iteration);
  }

  #incoming(slot: Slot): Incoming {
    if (slot.offset < 0 || slot.offset + slot.bytes > this.#memory.length) {
      throw new TransportError('slotOutside', `slot of message ${slot.message} lies outside the arena`);
    }
    const chunks = chunkCount(slot.bytes);
    return { slot, placed: new Uint8Array(chunks), missing: chunks, arrivals: [] };
  }

  #complete(incoming: Incoming): void {
    for (const arrival of incoming.arrivals) {
      if (--arrival.missing > 0) continue;
      this.#waits.delete(arrival);
      arrival.resolve();
    }
    incoming.arrivals.length = 0;
  }
}

function reset(incoming: Incoming): void {
  incoming.placed.fill(0);
  incoming.missing = incoming.placed.length;
  incoming.arrivals.length = 0;
}
