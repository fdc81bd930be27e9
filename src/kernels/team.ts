/** The kernel threads as the event loop sees them: requests in the order given, one at a time, answers by futex. */

import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import { KernelError } from '../errors.ts';
import { breakBarrier, resetBarrier } from './barrier.ts';
import * as control from './control.ts';
import { changed } from './futex.ts';

/** What workers should do; see the commands in control.ts. */
export interface Request {
  readonly command: number;
  readonly arena: number;
  readonly offset?: number;
  readonly rounds?: number;
  /** How many of the threads, from the first one on; all by default. */
  readonly threads?: number;
  /** Posted to the workers before the request. */
  readonly message?: unknown;
}

/** Megabytes that a worker's own JavaScript may use; kernels live in WebAssembly memory and need none of it. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };

/** Arenas are counted from 0. */
const NO_ARENA = -1;

const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

interface Member {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly ended: Promise<void>;
}

export class KernelTeam {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array;
  readonly #members: readonly Member[];
  #failure: KernelError | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(threads: number) {
    const buffer = new SharedArrayBuffer(control.controlBytes(threads));
    this.#words = new Int32Array(buffer);
    this.#times = new Float64Array(buffer);
    this.#members = Array.from({ length: threads }, (_, thread) => this.#hire(thread));
  }

  #hire(thread: number): Member {
    const { port1, port2 } = new MessageChannel();
    const workerData: control.WorkerData = { control: this.#words.buffer, thread, port: port2 };
    const worker = new Worker(WORKER_URL, {
      workerData,
      transferList: [port2],
      // None of the process's own flags: `--input-type`, for one, would keep the worker from starting.
      execArgv: [],
      resourceLimits: RESOURCE_LIMITS,
      name: `mqtile-kernels-${thread}`,
    });
    return { worker, port: port1, ended: this.#watch(worker) };
  }

  /** Resolves when the worker has ended. One that is gone takes the others with it: they may hold half of what it was to do. */
  #watch(worker: Worker): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.on('error', (cause) => {
      this.#failure ??= new KernelError('kernelFailed', `a kernel thread failed: ${String(cause)}`, { cause });
    });
    worker.on('exit', () => {
      this.#failure ??= new KernelError('kernelFailed', 'a kernel thread has ended');
      breakBarrier(this.#words);
      if (this.#words[control.COMMAND] !== control.STOP) this.#terminate();
      // Whoever waits for an answer is woken, and finds the failure.
      Atomics.add(this.#words, control.DONE, 1);
      Atomics.notify(this.#words, control.DONE);
      resolve();
    });
    return promise;
  }

  /** Resolves once all workers wait for requests. */
  async start(): Promise<void> {
    await this.request({ command: control.DETACH, arena: NO_ARENA });
  }

  /**
   * Gives a request to workers after all that were given before.
   * @returns milliseconds that the slowest thread took
   * @throws {KernelError} `kernelFailed` when a worker failed or is gone; the signal's reason when aborted before the request began
   */
  request(request: Request, signal?: AbortSignal): Promise<number> {
    if (this.#closing !== undefined) return Promise.reject(new KernelError('kernelFailed', 'the engine is closed'));
    return this.#enqueue(request, signal);
  }

  #enqueue(request: Request, signal?: AbortSignal): Promise<number> {
    if (this.#pending++ === 0) for (const { worker } of this.#members) worker.ref();
    const answer = this.#queue.then(() => this.#perform(request, signal));
    this.#queue = answer
      .catch(() => {})
      .finally(() => {
        // Idle workers do not keep the process alive.
        if (--this.#pending === 0) for (const { worker } of this.#members) worker.unref();
      });
    return answer;
  }

  async #perform(request: Request, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    await this.#checkAlive();
    const { command, arena, offset = 0, rounds = 0, threads = this.#members.length, message } = request;
    const members = this.#members.slice(0, threads);
    if (message !== undefined) for (const { port } of members) port.postMessage(message, []);
    const words = this.#words;
    resetBarrier(words);
    words.set([members.length, command, arena, offset, rounds, threads], control.PENDING);
    const done = Atomics.load(words, control.DONE);
    for (const thread of members.keys()) Atomics.add(words, control.requestOf(thread), 1);
    for (const thread of members.keys()) Atomics.notify(words, control.requestOf(thread));
    await changed(words, control.DONE, done);
    await this.#checkAlive();
    this.#checkStatus(members);
    return Math.max(...members.map((_, thread) => this.#times[control.millisecondsOf(thread)]!));
  }

  /** When a worker is gone, the others have ended too before anybody hears of it: none still writes. */
  async #checkAlive(): Promise<void> {
    if (this.#failure === undefined) return;
    await this.#ended();
    throw this.#failure;
  }

  #checkStatus(members: readonly Member[]): void {
    const failed = members.filter((_, thread) => this.#words[control.statusOf(thread)] === control.FAILED);
    const reasons = failed.map(({ port }) => String(receiveMessageOnPort(port)?.message));
    if (reasons.length > 0) throw new KernelError('kernelFailed', `a kernel failed: ${reasons.join('; ')}`);
  }

  #terminate(): void {
    for (const { worker } of this.#members) void worker.terminate();
  }

  async #ended(): Promise<void> {
    await Promise.all(this.#members.map(({ ended }) => ended));
  }

  /** Ends the workers after all requests so far; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#enqueue({ command: control.STOP, arena: NO_ARENA }).catch(() => {});
    for (const { worker } of this.#members) worker.ref();
    await this.#ended();
    for (const { port } of this.#members) port.close();
  }
}
