/** An engine of the reference kernels, in the calling thread: slow and plain, for tests and for looking things up. */

import { KernelError } from '../../errors.ts';
import type { KernelCall } from '../../tensor/call.ts';
import { checkCalls } from '../check.ts';
import type { Arena, Engine, Submission } from '../engine.ts';
import { execute } from './execute.ts';
import { memoryOver, type Memory } from './memory.ts';

/** An {@link Engine} that needs no build and no worker. Memory is a plain ArrayBuffer, rounded up to whole floats. */
export function createReferenceEngine(): Engine {
  let closed = false;
  const close = (): Promise<void> => {
    closed = true;
    return Promise.resolve();
  };
  return {
    allocate: async (bytes) => {
      if (closed) throw new KernelError('engineClosed', 'allocate() on a closed engine');
      return new ReferenceArena(await allocate(bytes));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function allocate(bytes: number): Promise<Memory> {
  const rounded = Math.ceil(bytes / 4) * 4;
  try {
    return memoryOver(new ArrayBuffer(rounded), rounded);
  } catch (cause) {
    throw new KernelError('outOfMemory', `cannot allocate an arena of ${bytes} bytes`, { cause });
  }
}

class ReferenceArena implements Arena {
  readonly bytes: Uint8Array;
  readonly #memory: Memory;
  #released = false;
  readonly #calls = new WeakMap<Submission, readonly KernelCall[]>();

  constructor(memory: Memory) {
    this.#memory = memory;
    this.bytes = memory.bytes;
  }

  compile(calls: readonly KernelCall[]): Submission {
    checkCalls(calls, this.bytes.byteLength);
    const submission: Submission = { calls: calls.length };
    this.#calls.set(submission, [...calls]);
    return submission;
  }

  async run(submission: Submission, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    const calls = this.#calls.get(submission);
    if (this.#released || calls === undefined) {
      throw new KernelError('kernelFailed', 'the arena was released, or the submission was compiled for another one');
    }
    const began = performance.now();
    for (const call of calls) execute(this.#memory, call);
    return performance.now() - began;
  }

  release(): void {
    this.#released = true;
  }
}
