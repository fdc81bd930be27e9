/** The engine of the SIMD kernels: a worker thread that executes submissions one after the other, over shared WebAssembly memory. */

import { KernelError } from '../errors.ts';
import type { KernelCall } from '../tensor/call.ts';
import { checkCalls } from './check.ts';
import * as control from './control.ts';
import { encodeCalls } from './encode.ts';
import type { Arena, Engine, Submission } from './engine.ts';
import { loadKernels } from './loader.ts';
import { KernelThread } from './thread.ts';

const PAGE_BYTES = 65_536;
const MAXIMUM_PAGES = 65_536;

/** Cache lines between an arena and the blocks behind it. */
const BLOCK_ALIGNMENT = 64;

export interface EngineOptions {
  /** Worker threads; only one is possible so far. */
  readonly threads?: number;
}

/**
 * Starts an engine and its worker. The worker does not keep the process alive while it is idle.
 * @throws {KernelError} `threads` for another number than 1, `kernelsMissing` when the kernels were not built
 */
export async function createEngine({ threads = 1 }: EngineOptions = {}): Promise<Engine> {
  if (threads !== 1)
    throw new KernelError('threads', `cannot start ${threads} kernel threads: only 1 is possible so far`);
  const thread = new KernelThread(await loadKernels());
  await thread.start();
  return new WasmEngine(thread);
}

class WasmEngine implements Engine {
  readonly #thread: KernelThread;
  #arenas = 0;

  constructor(thread: KernelThread) {
    this.#thread = thread;
  }

  async allocate(bytes: number): Promise<Arena> {
    const id = this.#arenas++;
    const memory = createMemory(bytes);
    await this.#thread.request({ command: control.ATTACH, arena: id, message: memory });
    return new WasmArena(this.#thread, id, memory, bytes);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function createMemory(bytes: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pagesOf(bytes), maximum: MAXIMUM_PAGES, shared: true });
  } catch (cause) {
    throw new KernelError('outOfMemory', `cannot allocate an arena of ${bytes} bytes`, { cause });
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

/** Where the words of a submission lie. */
interface Encoded {
  readonly offset: number;
  readonly calls: number;
}

class WasmArena implements Arena {
  readonly bytes: Uint8Array;
  readonly #thread: KernelThread;
  readonly #id: number;
  readonly #encoded = new WeakMap<Submission, Encoded>();
  #memory: WebAssembly.Memory | undefined;
  /** First byte behind the arena and all blocks so far. */
  #end: number;

  constructor(thread: KernelThread, id: number, memory: WebAssembly.Memory, bytes: number) {
    this.#thread = thread;
    this.#id = id;
    this.#memory = memory;
    this.bytes = new Uint8Array(memory.buffer, 0, bytes);
    this.#end = bytes;
  }

  compile(calls: readonly KernelCall[]): Submission {
    checkCalls(calls, this.bytes.byteLength);
    const words = encodeCalls(calls);
    const offset = Math.ceil(this.#end / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;
    new Int32Array(this.#reserve(offset + words.byteLength), offset, words.length).set(words);
    this.#end = offset + words.byteLength;
    const submission: Submission = { calls: calls.length };
    this.#encoded.set(submission, { offset, calls: calls.length });
    return submission;
  }

  /** Grows the memory to `bytes`; the arena's own view, over the pages there were before, stays valid. */
  #reserve(bytes: number): SharedArrayBuffer {
    const memory = this.#held();
    const missing = pagesOf(bytes) - memory.buffer.byteLength / PAGE_BYTES;
    try {
      if (missing > 0) memory.grow(missing);
    } catch (cause) {
      throw new KernelError(
        'outOfMemory',
        `cannot grow an arena of ${this.bytes.byteLength} bytes by ${missing} pages`,
        { cause },
      );
    }
    return memory.buffer;
  }

  #held(): WebAssembly.Memory {
    if (this.#memory === undefined) throw new KernelError('kernelFailed', 'the arena was released');
    return this.#memory;
  }

  async run(submission: Submission, signal?: AbortSignal): Promise<number> {
    this.#held();
    const encoded = this.#encoded.get(submission);
    if (encoded === undefined) throw new KernelError('kernelFailed', 'the submission was compiled for another arena');
    return this.#thread.request({ command: control.RUN, arena: this.#id, ...encoded }, signal);
  }

  release(): void {
    if (this.#memory === undefined) return;
    this.#memory = undefined;
    // After what was submitted before; an engine that is closed has forgotten the arena anyway.
    this.#thread.request({ command: control.DETACH, arena: this.#id }).catch(() => {});
  }
}
