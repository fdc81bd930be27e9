/**
 * Control words that an engine and its workers share. One request is under way at a time:
 *
 *     engine:  writes COMMAND and its arguments, sets PENDING to the number of workers that shall obey, adds 1 to the REQUEST of each and
 *              wakes it, waits until DONE changes
 *     workers: each waits until its REQUEST changes, obeys, writes its STATUS and MILLISECONDS, takes 1 from PENDING; the last one adds 1 to
 *              DONE and wakes the engine
 */

import type { MessagePort } from 'node:worker_threads';

/** Positions of 32-bit words. From PENDING to THREADS they follow each other, so that a request is one write. */
export const DONE = 0;
export const PENDING = 1;
export const COMMAND = 2;
export const ARENA = 3;
export const OFFSET = 4;
export const ROUNDS = 5;
export const THREADS = 6;

/** The barrier of a run, on a cache line of its own: how many have arrived, how often all had, whether somebody will never come. */
export const ARRIVED = 16;
export const GENERATION = 17;
export const BROKEN = 18;

/** Each worker has a cache line of its own behind these. */
const FIRST_WORKER = 32;
const WORKER_WORDS = 16;

/** Positions of a worker's words. */
export function requestOf(thread: number): number {
  return FIRST_WORKER + thread * WORKER_WORDS;
}

export function statusOf(thread: number): number {
  return requestOf(thread) + 1;
}

/** Position of a worker's float64: how long its part of the last run took. */
export function millisecondsOf(thread: number): number {
  return (requestOf(thread) + 2) / 2;
}

export function controlBytes(threads: number): number {
  return requestOf(threads) * 4;
}

/**
 * Commands. RUN executes rounds of calls in an arena: the table at OFFSET has, for each of THREADS threads, ROUNDS pairs of words: where
 * the thread's calls of that round lie, and how many they are. ATTACH takes an {@link Attachment} from the message port as ARENA; DETACH
 * forgets ARENA.
 */
export const RUN = 1;
export const ATTACH = 2;
export const DETACH = 3;
export const STOP = 4;

/** Statuses; a FAILED request has its reason on the message port. */
export const OK = 0;
export const FAILED = 1;

/** What a worker starts with. */
export interface WorkerData {
  readonly control: SharedArrayBuffer;
  readonly thread: number;
  readonly port: MessagePort;
}

/** An arena's memory, and the kernels that compute in it. */
export interface Attachment {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}
