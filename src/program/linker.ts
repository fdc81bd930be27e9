/**
 * Linker: gives every temporary buffer of a program its place in the arena. Calls are emitted with virtual addresses; when
 * the last call is known, so is every buffer's life, and buffers that never live together share bytes.
 */

import { KernelError } from '../errors.ts';
import type { KernelCall } from '../tensor/call.ts';

/** Virtual addresses begin here, above anything an arena can hold; below are addresses that are final already. */
const VIRTUAL = 2 ** 40;

/** Buffers begin at multiples of this, so that vectors and cache lines are aligned. */
export const ALIGNMENT = 64;

/** Fields of calls that hold an address besides the views. */
const ADDRESS_FIELDS = [
  'offset',
  'packed',
  'bias',
  'sums',
  'weights',
  'target',
  'scratch',
  'labels',
  'metrics',
  'gradient',
  'momentum',
  'rate',
];

interface Buffer {
  readonly base: number;
  readonly bytes: number;
  first: number;
  last: number;
}

/** A program whose buffers have their places. */
interface Linked {
  readonly calls: readonly KernelCall[];
  /** By call: the layer that it was emitted for. */
  readonly layers: readonly (number | undefined)[];
  /** By call: whether it computes again what forward computed. */
  readonly recomputed: readonly boolean[];
  readonly end: number;
  locate(address: number): number;
}

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Collects the calls of one program and the buffers they use. */
export class Linker {
  /** Index of the layer of the model that calls are emitted for, or undefined for none: it says where a step's time goes. */
  layer: number | undefined;
  /** Whether calls are emitted to compute again what forward computed. */
  recomputing = false;
  readonly #calls: KernelCall[] = [];
  readonly #layers: (number | undefined)[] = [];
  readonly #recomputed: boolean[] = [];
  readonly #buffers: Buffer[] = [];
  #next = VIRTUAL;

  /** Reserves a temporary buffer; it lives from the first to the last call that mentions it. @returns its virtual address */
  buffer(bytes: number): number {
    const base = this.#next;
    this.#next += align(bytes) + 4096;
    this.#buffers.push({ base, bytes: align(bytes), first: Infinity, last: -1 });
    return base;
  }

  /** Appends a call. @returns its position */
  emit(call: KernelCall): number {
    const position = this.#calls.push(call) - 1;
    this.#layers.push(this.layer);
    this.#recomputed.push(this.recomputing);
    visitAddresses(call, (address) => {
      if (address >= VIRTUAL) touch(this.#bufferAt(address), position);
      return address;
    });
    return position;
  }

  /** Position that the next call will have. */
  get position(): number {
    return this.#calls.length;
  }

  /** Keeps the buffer at an address alive up to the end of the program. */
  keep(address: number): void {
    touch(this.#bufferAt(address), Number.MAX_SAFE_INTEGER);
  }

  /**
   * Places the buffers, largest first, each at the lowest address where nothing lives at the same time.
   * @param base first free byte of the arena
   * @returns the calls with final addresses and what each is for, the arena's end, and the final place of an address handed out before
   */
  link(base: number): Linked {
    const places = new Map<Buffer, number>();
    let end = base;
    for (const buffer of this.#buffers.filter(({ last }) => last >= 0).toSorted(bySize)) {
      const place = lowestGap(buffer, places, base);
      places.set(buffer, place);
      end = Math.max(end, place + buffer.bytes);
    }
    const locate = (address: number) => {
      if (address < VIRTUAL) return address;
      const buffer = this.#bufferAt(address);
      return (places.get(buffer) ?? base) + (address - buffer.base);
    };
    const calls = this.#calls.map((call) => visitAddresses(call, locate));
    return { calls, layers: this.#layers, recomputed: this.#recomputed, end, locate };
  }

  #bufferAt(address: number): Buffer {
    let low = 0;
    let high = this.#buffers.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#buffers[middle]!.base <= address) low = middle;
      else high = middle - 1;
    }
    const buffer = this.#buffers[low];
    if (!buffer || address < buffer.base || address > buffer.base + buffer.bytes) {
      throw new KernelError('kernelCall', `address ${address - VIRTUAL} of a kernel call lies in no buffer`);
    }
    return buffer;
  }
}

function touch(buffer: Buffer, position: number): void {
  buffer.first = Math.min(buffer.first, position);
  buffer.last = Math.max(buffer.last, position);
}

function bySize(a: Buffer, b: Buffer): number {
  return b.bytes - a.bytes || a.base - b.base;
}

function lowestGap(buffer: Buffer, places: ReadonlyMap<Buffer, number>, base: number): number {
  const rivals = [...places]
    .filter(([other]) => other.first <= buffer.last && buffer.first <= other.last)
    .map(([other, place]) => [place, place + other.bytes] as const)
    .toSorted((a, b) => a[0] - b[0]);
  let place = base;
  for (const [start, end] of rivals) {
    if (place + buffer.bytes <= start) break;
    place = Math.max(place, end);
  }
  return place;
}

/** A copy of the call with every address replaced by what `visit` returns. */
function visitAddresses(call: KernelCall, visit: (address: number) => number): KernelCall {
  const copy: Record<string, unknown> = { ...call };
  for (const [field, value] of Object.entries(copy)) {
    if (typeof value === 'number' && ADDRESS_FIELDS.includes(field)) {
      // `momentum: 0`, `bias: 0` and `sums: 0` say that there is none; it stays 0 because it is not virtual.
      copy[field] = visit(value);
    } else if (isView(value)) {
      copy[field] = { ...value, offset: visit(value.offset) };
    }
  }
  // Only addresses changed, so the copy is a call of the same kind.
  return copy as unknown as KernelCall;
}

function isView(value: unknown): value is { readonly offset: number } {
  return typeof value === 'object' && value !== null && 'strides' in value;
}
