/** A sandbox: buffers between NaN guards, kernel calls over them, and the same calls executed by two engines, compared bit by bit. */

import type { ExecutionContext } from 'ava';
import fc from 'fast-check';

import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { at, positions } from '../../src/kernels/reference/memory.ts';
import type { Extent } from '../../src/tensor/box.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES, type Border, type View } from '../../src/tensor/view.ts';

const ALIGNMENT_BYTES = 64;

/** The bits of infinity, and of a NaN that is not a guard. */
export const INFINITY_BITS = 0x7f800000;
export const NAN_BITS = 0x7fc00001;

/** Guards: NaN, and the number 3.5 that stands in for it. */
const GUARD_BITS = 0x7fc00000;
const NUMBER_BITS = 0x40600000;

const CAPACITY_BYTES = 8 << 20;

/** Cells that a call may write. */
interface Output extends Tolerance {
  readonly name: string;
  readonly cells: readonly number[];
}

/** How far an output may be from the reference: max|a-b| <= relative · max(max|b|, floor). */
interface Tolerance {
  readonly relative: number;
  readonly floor?: number;
}

/** The same numbers. */
const EXACT: Tolerance = { relative: 0 };

/** Whatever is written. */
export const ANYTHING: Tolerance = { relative: Number.POSITIVE_INFINITY };

/** Results of float32 arithmetic. */
export const CLOSE: Tolerance = { relative: 1e-6 };

/**
 * Sums of so many random products. Where one cancels to something small, rounding is not small relative to it, but still to the size
 * that such sums have: a third of the root of the number of terms.
 */
export function sumsOf(terms: number): Tolerance {
  return { relative: 1e-6, floor: Math.sqrt(terms) / 3 };
}

/** How the planes of a view are stored. */
export interface Storage {
  readonly border?: Border;
  /** Whether the border holds zeros, or values as the inside does. */
  readonly zeroBorder?: boolean;
  /** Floats between planes, and between samples: guards. */
  readonly planeGap?: number;
  readonly sampleGap?: number;
  /** Distance of pixels in floats; what lies between is guards. */
  readonly pixel?: number;
}

/** Numbers in [-1, 1) that repeat for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export class Sandbox {
  readonly floats = new Float32Array(CAPACITY_BYTES / FLOAT_BYTES).fill(Number.NaN);
  readonly integers = new Int32Array(this.floats.buffer);
  readonly bytes = new Uint8Array(this.floats.buffer);
  readonly #outputs: Output[] = [];
  readonly #random: () => number;
  #end = ALIGNMENT_BYTES;

  constructor(seed = 1) {
    this.#random = randomNumbers(seed);
  }

  /** Room for `bytes` bytes behind a guard, filled with NaN. @returns its offset */
  take(bytes: number): number {
    const offset = this.#end;
    this.#end = Math.ceil((offset + bytes) / ALIGNMENT_BYTES + 1) * ALIGNMENT_BYTES;
    if (this.#end > CAPACITY_BYTES) throw new Error(`a sandbox holds ${CAPACITY_BYTES} bytes`);
    return offset;
  }

  /** A list of random floats, or of one value. @returns its offset */
  list(length: number, value?: number): number {
    const offset = this.take(length * FLOAT_BYTES);
    for (let i = 0; i < length; i++) this.floats[offset / FLOAT_BYTES + i] = value ?? this.#random();
    return offset;
  }

  /** A list of given floats. @returns its offset */
  values(values: readonly number[]): number {
    const offset = this.take(values.length * FLOAT_BYTES);
    this.floats.set(values, offset / FLOAT_BYTES);
    return offset;
  }

  /** A list of given 32-bit integers. @returns its offset */
  words(values: readonly number[]): number {
    const offset = this.take(values.length * FLOAT_BYTES);
    this.integers.set(values, offset / FLOAT_BYTES);
    return offset;
  }

  /** A view over storage of its own, filled with random floats; what lies outside its planes and borders is NaN. */
  view(extent: Extent, storage: Storage = {}): View {
    const { border = { top: 0, bottom: 0, left: 0, right: 0 }, planeGap = 0, sampleGap = 0, pixel = 1 } = storage;
    const [samples, channels, height, width] = extent;
    const row = (border.left + width + border.right) * pixel;
    const plane = (border.top + height + border.bottom) * row + planeGap;
    const sample = channels * plane + sampleGap;
    const strides = [sample * FLOAT_BYTES, plane * FLOAT_BYTES, row * FLOAT_BYTES, pixel * FLOAT_BYTES] as const;
    const storageOffset = this.take(samples * sample * FLOAT_BYTES);
    const inside = (border.top * row + border.left * pixel) * FLOAT_BYTES;
    const view: View = { offset: storageOffset + inside, extent, strides };
    const outer: Extent = [samples, channels, height + border.top + border.bottom, width + border.left + border.right];
    this.#set({ offset: storageOffset, extent: outer, strides }, storage.zeroBorder === true ? () => 0 : this.#random);
    this.#set(view, this.#random);
    return view;
  }

  #set(view: View, value: () => number): void {
    for (const p of positions(view)) this.floats[at(view, p) / FLOAT_BYTES] = value();
  }

  /** Declares that a call writes the cells of a view. */
  writes(name: string, view: View, tolerance = EXACT): void {
    this.#outputs.push({ name, ...tolerance, cells: [...positions(view)].map((p) => at(view, p) / FLOAT_BYTES) });
  }

  /** Declares that a call writes a list of floats. */
  writesList(name: string, offset: number, length: number, tolerance = EXACT): void {
    const cells = Array.from({ length }, (_, i) => offset / FLOAT_BYTES + i);
    this.#outputs.push({ name, cells, ...tolerance });
  }

  /** Executes calls over a copy of the sandbox. @returns all its floats afterwards */
  execute(engine: Engine, calls: readonly KernelCall[]): Promise<Float32Array<ArrayBuffer>> {
    return executeOver(engine, calls, this.integers.subarray(0, this.#end / FLOAT_BYTES));
  }

  /**
   * Executes calls with the engine, twice, and with the reference: the declared outputs agree, both runs have the same bits, and
   * nothing else has changed. In the second run the guards hold a number, so that a NaN written over a NaN is noticed.
   */
  async agrees(t: ExecutionContext, engine: Engine, calls: readonly KernelCall[]): Promise<void> {
    const before = this.integers.slice(0, this.#end / FLOAT_BYTES);
    const numbered = before.map((word) => (word === GUARD_BITS ? NUMBER_BITS : word));
    const got = await executeOver(engine, calls, before);
    const again = await executeOver(engine, calls, numbered);
    const wanted = await executeOver(createReferenceEngine(), calls, before);
    const [bits, bitsAgain] = [new Int32Array(got.buffer), new Int32Array(again.buffer)];
    for (const { name, cells, relative, floor } of this.#outputs) {
      const pick = (from: Float32Array): number[] => cells.map((cell) => from[cell]!);
      const distance = relativeDistance(pick(got), pick(wanted), floor);
      t.true(distance <= relative, `${name} is ${distance} from the reference`);
      if (relative < Number.POSITIVE_INFINITY)
        t.deepEqual(pick(again), pick(got), `${name} has other bits in a second run`);
      for (const cell of cells) {
        before[cell] = bits[cell]!;
        numbered[cell] = bitsAgain[cell]!;
      }
    }
    for (const [after, unchanged] of [
      [bits, before],
      [bitsAgain, numbered],
    ] as const) {
      const stray = after.findIndex((word, i) => word !== unchanged[i]);
      t.is(stray, -1, `byte ${stray * FLOAT_BYTES}, which no call may write, has changed`);
    }
  }
}

async function executeOver(
  engine: Engine,
  calls: readonly KernelCall[],
  words: Int32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const arena = await engine.allocate(words.byteLength);
  try {
    new Int32Array(arena.bytes.buffer).set(words);
    await arena.run(arena.compile(calls));
    return new Float32Array(arena.bytes.slice().buffer);
  } finally {
    arena.release();
  }
}

/** max|a-b| / max(max|b|, floor); infinite where one of them is not a number and the other is. */
function relativeDistance(a: readonly number[], b: readonly number[], floor = 0): number {
  let difference = 0;
  let scale = floor;
  for (const [i, value] of a.entries()) {
    const wanted = b[i]!;
    if (Object.is(value, wanted) || value === wanted) {
      if (Number.isFinite(wanted)) scale = Math.max(scale, Math.abs(wanted));
      continue;
    }
    const apart = Math.abs(value - wanted);
    if (!Number.isFinite(apart)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, apart);
    scale = Math.max(scale, Math.abs(wanted));
  }
  return difference === 0 ? 0 : difference / scale;
}

/** Random borders, gaps and pixel distances. */
export function storages(maximumPixel = 1): fc.Arbitrary<Storage> {
  const cells = fc.integer({ min: 0, max: 3 });
  return fc.record({
    border: fc.record({ top: cells, bottom: cells, left: cells, right: cells }),
    planeGap: fc.integer({ min: 0, max: 5 }),
    sampleGap: fc.integer({ min: 0, max: 5 }),
    pixel: fc.integer({ min: 1, max: maximumPixel }),
  });
}

/** Random extents, up to the given ones. */
export function extents(samples: number, channels: number, height: number, width: number): fc.Arbitrary<Extent> {
  const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
  return fc.tuple(upTo(samples), upTo(channels), upTo(height), upTo(width));
}

/**
 * The cases are the same in every run: of a million random sums a few are further off than the tolerance, which is no news.
 * Others: MQTILE_SEED=2 ava test/kernels
 */
const SEED = Number(process.env['MQTILE_SEED'] ?? '1');

/** Checks a property over random cases; a case gets a sandbox that is filled from the case's own seed. */
export async function forAll<Case>(
  cases: fc.Arbitrary<Case>,
  check: (c: Case, sandbox: Sandbox) => Promise<void>,
  numRuns = 60,
): Promise<void> {
  const seeds = fc.integer({ min: 1, max: 2 ** 30 });
  await fc.assert(
    fc.asyncProperty(cases, seeds, (c, seed) => check(c, new Sandbox(seed))),
    { numRuns, seed: SEED },
  );
}
