/**
 * Schedules: which thread executes which part of which call, and where all must wait for each other:
 *
 *     thread 0   conv a, pool a │ conv c, pool c │ loss
 *     thread 1   conv b, pool b │ conv d, pool d │
 *                      round 0 barrier  round 1  barrier
 *
 * Within a round no thread touches what another one writes, so threads need not know how far the others are.
 */

import type { KernelCall } from '../tensor/call.ts';
import { accessOf, conflict, type Access } from './access.ts';
import { spareScratchBytes, splitCall } from './split.ts';
import { threadsWorth, workOf, type Crew } from './work.ts';

/** The calls of each thread, in order, between two barriers. */
export type Round = readonly (readonly KernelCall[])[];

/** Bytes of scratch that a schedule of these calls needs besides that of the calls. */
export function spareBytes(calls: readonly KernelCall[], crew: Crew): number {
  return calls.reduce((most, call) => Math.max(most, spareScratchBytes(call, threadsWorth(call, crew))), 0);
}

/**
 * Distributes calls over the threads of a crew. Executed round by round, they leave the same bytes as one after the other.
 * @param spare where the spare scratch lies, 64-byte aligned
 * @returns rounds of as many threads as are worth it; empty for no calls
 */
export function schedule(calls: readonly KernelCall[], crew: Crew, spare: number): readonly Round[] {
  const rounds: OpenRound[] = [];
  for (const call of calls) {
    const parts = splitCall(call, threadsWorth(call, crew), spare);
    const place = rounds.at(-1)?.placeOf(parts);
    if (place !== undefined) {
      rounds.at(-1)!.add(parts, place);
      continue;
    }
    const next = new OpenRound(crew);
    next.add(parts, 0);
    rounds.push(next);
  }
  const used = Math.max(0, ...rounds.map((round) => round.used));
  return rounds.map(({ calls: byThread }) => byThread.slice(0, used));
}

class OpenRound {
  readonly calls: KernelCall[][];
  readonly #accesses: Access[][];
  readonly #work: number[];

  readonly #crew: Crew;

  constructor(crew: Crew) {
    const perThread = Array.from({ length: crew.threads });
    this.#crew = crew;
    this.calls = perThread.map(() => []);
    this.#accesses = perThread.map(() => []);
    this.#work = perThread.map(() => 0);
  }

  /** Threads up to the last one that has something to do. */
  get used(): number {
    return this.calls.findLastIndex((calls) => calls.length > 0) + 1;
  }

  /** The thread that can take the first of these parts, the next one the second ...; undefined where a barrier must come first. */
  placeOf(parts: readonly KernelCall[]): number | undefined {
    if (parts.length > 1) return this.#takes(parts, 0) ? 0 : undefined;
    const free = [...this.calls.keys()].filter((thread) => this.#takes(parts, thread));
    // What is not worth another thread stays with the first one.
    return threadsWorth(parts[0]!, this.#crew) > 1 ? this.#leastBusy(free) : free[0];
  }

  #leastBusy(threads: readonly number[]): number | undefined {
    return threads.toSorted((a, b) => this.#work[a]! - this.#work[b]!)[0];
  }

  #takes(parts: readonly KernelCall[], first: number): boolean {
    return parts.every((part, index) => {
      const access = accessOf(part);
      return this.#accesses.every(
        (others, thread) => thread === first + index || others.every((other) => !conflict(access, other)),
      );
    });
  }

  add(parts: readonly KernelCall[], first: number): void {
    parts.forEach((part, index) => {
      const thread = first + index;
      this.calls[thread]!.push(part);
      this.#accesses[thread]!.push(accessOf(part));
      this.#work[thread]! += workOf(part);
    });
  }
}
