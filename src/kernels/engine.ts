/** Engine: what runs kernel calls over an arena; the same interface for the WebAssembly workers and the readable reference. */

import type { KernelCall } from '../tensor/call.ts';
import type { KernelMode } from './loader.ts';

/** What computes the calls of an arena. */
export interface ArenaKernels {
  readonly mode: KernelMode;
  /**
   * Mode `fast`: whether register tiles are two vectors wide, which decides bits; an engine without revectorization obeys too, and takes longer.
   * Without it whatever is faster in this engine, as always in `strict`, whose bits are the same.
   */
  readonly wide?: boolean;
}

/** Calls that were encoded once, before the first step, and can be run any number of times. */
export interface Submission {
  readonly calls: number;
}

/** A zeroed stretch of memory that kernels and the event loop share. Offsets 0 to 63 are never a tensor. */
export interface Arena {
  /** The bytes of the arena; over shared WebAssembly memory where workers are used. */
  readonly bytes: Uint8Array;
  /** Encodes calls beyond the arena's own bytes. @throws {KernelError} `kernelCall` for a call that leaves the arena or has a shape no kernel takes. */
  compile(calls: readonly KernelCall[]): Submission;
  /**
   * Executes the calls in order, after every submission given before.
   * @returns milliseconds that the kernels took
   * @throws {KernelError} `kernelFailed` when a worker fails; the signal's reason when aborted before it began
   */
  run(submission: Submission, signal?: AbortSignal): Promise<number>;
  /** Gives the memory back; idempotent. */
  release(): void;
}

export interface Engine extends AsyncDisposable {
  /**
   * @param bytes size of the arena
   * @param kernels those of mode `strict` unless said
   * @throws {KernelError} `outOfMemory`, `kernelsMissing`
   */
  allocate(bytes: number, kernels?: ArenaKernels): Promise<Arena>;
  close(): Promise<void>;
}
