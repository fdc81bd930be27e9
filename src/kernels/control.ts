/**
 * Control words that an engine and its worker share. One request is under way at a time:
 *
 *     engine: writes COMMAND and its arguments, adds 1 to REQUEST, wakes the worker, waits until DONE = REQUEST
 *     worker: waits until REQUEST changes, obeys, writes STATUS and MILLISECONDS, sets DONE = REQUEST, wakes the engine
 */

import type { MessagePort } from 'node:worker_threads';

/** Positions of 32-bit words. */
export const REQUEST = 0;
export const DONE = 1;
export const COMMAND = 2;
export const ARENA = 3;
export const OFFSET = 4;
export const CALLS = 5;
export const STATUS = 6;

/** Position of a float64: how long the kernels of the last request took. */
export const MILLISECONDS = 4;

export const CONTROL_BYTES = 64;

/** Commands. RUN executes CALLS calls at OFFSET of ARENA; ATTACH takes a memory from the message port as ARENA; DETACH forgets ARENA. */
export const RUN = 1;
export const ATTACH = 2;
export const DETACH = 3;
export const STOP = 4;

/** Statuses; a FAILED request has its reason on the message port. */
export const OK = 0;
export const FAILED = 1;

/** What a worker starts with. */
export interface WorkerData {
  readonly module: WebAssembly.Module;
  readonly control: SharedArrayBuffer;
  readonly port: MessagePort;
}
