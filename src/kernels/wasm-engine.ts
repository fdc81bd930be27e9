/** The engine of the SIMD kernels: worker threads that execute one submission after the other together, over shared WebAssembly memory. */

import { KernelError } from '../errors.ts';
import type { KernelCall } from '../tensor/call.ts';
import { checkCalls } from './check.ts';
import * as control from './control.ts';
import { encodeCalls } from './encode.ts';
import type { Arena, ArenaKernels, Engine, Submission } from './engine.ts';
import { loadBuild, loadKernels } from './loader.ts';
import { schedule, spareBytes, type Round } from './schedule.ts';
import { KernelTeam } from './team.ts';
import { PART_NANOSECONDS, type Crew } from './work.ts';

const PAGE_BYTES = 65_536;
const MAXIMUM_PAGES = 65_536;

/** Cache lines between an arena and the blocks behind it. */
const BLOCK_ALIGNMENT = 64;

/** More workers than this are a mistake. */
const MOST_THREADS = 256;

export interface EngineOptions {
  /** Whether to try AVX2 by V8's revectorization; by default on x64, unless MQTILE_REVECTORIZE is 0. */
  readonly revectorize?: boolean;
  /** Worker threads that share each submission: 1 by default. Results have the same bits with any number. */
  readonly threads?: number;
  /** A call is shared by as many threads as get about so much work each. The default is what pays; 0 shares all that can be. */
  readonly partNanoseconds?: number;
}

/**
 * Starts an engine and its workers. They do not keep the process alive while they are idle.
 * @throws {KernelError} `threads` for a number of threads that is not from 1 to 256, `kernelsMissing` when the kernels were not built
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const { threads = 1, partNanoseconds = PART_NANOSECONDS, revectorize } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS)
    throw new KernelError(
      'threads',
      `cannot start ${threads} kernel threads; want a whole number from 1 to ${MOST_THREADS}`,
    );
  // Arenas say which kernels they want; that there are none is better said now.
  await loadKernels();
  const team = new KernelTeam(threads);
  await team.start();
  return new WasmEngine(team, { threads, partNanoseconds }, revectorize);
}

class WasmEngine implements Engine {
  readonly #team: KernelTeam;
  readonly #crew: Crew;
  readonly #revectorize: boolean | undefined;
  #arenas = 0;

  constructor(team: KernelTeam, crew: Crew, revectorize: boolean | undefined) {
    this.#team = team;
    this.#crew = crew;
    this.#revectorize = revectorize;
  }

  async allocate(bytes: number, { mode, wide: wanted }: ArenaKernels = { mode: 'strict' }): Promise<Arena> {
    const id = this.#arenas++;
    const memory = createMemory(bytes);
    const build = await loadBuild(mode, this.#revectorize);
    const message: control.Attachment = { module: build.module, memory };
    await this.#team.request({ command: control.ATTACH, arena: id, message });
    const wide = (mode === 'fast' ? wanted : undefined) ?? build.wide;
    return new WasmArena({ team: this.#team, crew: this.#crew, wide, id, memory }, bytes);
  }

  close(): Promise<void> {
    return this.#team.close();
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

/** Where the table of a submission lies, and for how many rounds and threads it has entries. */
interface Encoded {
  readonly offset: number;
  readonly rounds: number;
  readonly threads: number;
}

/** Memory behind the arena that parts of weight gradients use as scratch; the next submission uses it again. */
interface Spare {
  readonly offset: number;
  readonly bytes: number;
}

/** Who executes an arena's calls, and what they know it by. */
interface Place {
  readonly team: KernelTeam;
  readonly crew: Crew;
  readonly wide: boolean;
  readonly id: number;
  readonly memory: WebAssembly.Memory;
}

class WasmArena implements Arena {
  readonly bytes: Uint8Array;
  readonly #team: KernelTeam;
  readonly #crew: Crew;
  readonly #wide: boolean;
  readonly #id: number;
  readonly #encoded = new WeakMap<Submission, Encoded>();
  #memory: WebAssembly.Memory | undefined;
  #spare: Spare = { offset: 0, bytes: 0 };
  /** First byte behind the arena, all blocks and tables so far. */
  #end: number;

  constructor({ team, crew, wide, id, memory }: Place, bytes: number) {
    this.#team = team;
    this.#crew = crew;
    this.#wide = wide;
    this.#id = id;
    this.#memory = memory;
    this.bytes = new Uint8Array(memory.buffer, 0, bytes);
    this.#end = bytes;
  }

  compile(calls: readonly KernelCall[]): Submission {
    checkCalls(calls, this.bytes.byteLength);
    const rounds = schedule(calls, this.#crew, this.#spareOf(spareBytes(calls, this.#crew)));
    const submission: Submission = { calls: calls.length };
    this.#encoded.set(submission, this.#encode(rounds));
    return submission;
  }

  #spareOf(bytes: number): number {
    if (bytes > this.#spare.bytes) this.#spare = { offset: this.#take(bytes), bytes };
    return this.#spare.offset;
  }

  /** Writes the calls of each thread and round behind one another, then the table that says where they lie. */
  #encode(rounds: readonly Round[]): Encoded {
    const threads = Math.max(1, rounds[0]?.length ?? 0);
    const table = Array.from({ length: threads }, (_, thread) =>
      rounds.map((round) => [this.#write(encodeCalls(round[thread]!, this.#wide)), round[thread]!.length]),
    );
    return { offset: this.#write(Int32Array.from(table.flat(2))), rounds: rounds.length, threads };
  }

  /** @returns the offset of the words, at the start of a cache line */
  #write(words: Int32Array): number {
    const offset = this.#take(words.byteLength);
    new Int32Array(this.#held().buffer, offset, words.length).set(words);
    return offset;
  }

  #take(bytes: number): number {
    const offset = Math.ceil(this.#end / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;
    this.#reserve(offset + bytes);
    this.#end = offset + bytes;
    return offset;
  }

  /** Grows the memory to `bytes`; the arena's own view, over the pages there were before, stays valid. */
  #reserve(bytes: number): void {
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
  }

  #held(): WebAssembly.Memory {
    if (this.#memory === undefined) throw new KernelError('kernelFailed', 'the arena was released');
    return this.#memory;
  }

  async run(submission: Submission, signal?: AbortSignal): Promise<number> {
    this.#held();
    const encoded = this.#encoded.get(submission);
    if (encoded === undefined) throw new KernelError('kernelFailed', 'the submission was compiled for another arena');
    return this.#team.request({ command: control.RUN, arena: this.#id, ...encoded }, signal);
  }

  release(): void {
    if (this.#memory === undefined) return;
    this.#memory = undefined;
    // After what was submitted before; an engine that is closed has forgotten the arena anyway.
    this.#team.request({ command: control.DETACH, arena: this.#id }).catch(() => {});
  }
}
