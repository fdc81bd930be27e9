/** A kernel thread as the event loop sees it: requests in the order given, one at a time, answers by futex. */

import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import { KernelError } from '../errors.ts';
import * as control from './control.ts';
import { changed } from './futex.ts';

/** What the worker should do; see the commands in control.ts. */
export interface Request {
  readonly command: number;
  readonly arena: number;
  readonly offset?: number;
  readonly calls?: number;
  /** Posted to the worker before the request. */
  readonly message?: unknown;
}

/** Megabytes that the worker's own JavaScript may use; kernels live in WebAssembly memory and need none of it. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };

/** Arenas are counted from 0. */
const NO_ARENA = -1;

const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export class KernelThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array;
  readonly #ended: Promise<void>;
  #failure: KernelError | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(module: WebAssembly.Module) {
    const buffer = new SharedArrayBuffer(control.CONTROL_BYTES);
    const { port1, port2 } = new MessageChannel();
    this.#words = new Int32Array(buffer);
    this.#times = new Float64Array(buffer);
    this.#port = port1;
    const workerData: control.WorkerData = { module, control: buffer, port: port2 };
    this.#worker = new Worker(WORKER_URL, {
      workerData,
      transferList: [port2],
      // None of the process's own flags: `--input-type`, for one, would keep the worker from starting.
      execArgv: [],
      resourceLimits: RESOURCE_LIMITS,
      name: 'mqtile-kernels',
    });
    this.#ended = this.#watch();
  }

  /** Resolves when the worker has ended. Whoever waits for an answer of a worker that is gone is woken, and finds the failure. */
  #watch(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#worker.on('error', (cause) => {
      this.#failure ??= new KernelError('kernelFailed', `the kernel thread failed: ${String(cause)}`, { cause });
    });
    this.#worker.on('exit', () => {
      this.#failure ??= new KernelError('kernelFailed', 'the kernel thread has ended');
      Atomics.add(this.#words, control.DONE, 1);
      Atomics.notify(this.#words, control.DONE);
      resolve();
    });
    return promise;
  }

  /** Resolves once the worker waits for requests. */
  async start(): Promise<void> {
    await this.request({ command: control.DETACH, arena: NO_ARENA });
  }

  /**
   * Gives a request to the worker after all that were given before.
   * @returns milliseconds that the kernels took
   * @throws {KernelError} `kernelFailed` when the worker failed or is gone; the signal's reason when aborted before the request began
   */
  request(request: Request, signal?: AbortSignal): Promise<number> {
    if (this.#closing !== undefined) return Promise.reject(new KernelError('kernelFailed', 'the engine is closed'));
    return this.#enqueue(request, signal);
  }

  #enqueue(request: Request, signal?: AbortSignal): Promise<number> {
    if (this.#pending++ === 0) this.#worker.ref();
    const answer = this.#queue.then(() => this.#perform(request, signal));
    this.#queue = answer
      .catch(() => {})
      .finally(() => {
        // An idle worker does not keep the process alive.
        if (--this.#pending === 0) this.#worker.unref();
      });
    return answer;
  }

  async #perform({ command, arena, offset = 0, calls = 0, message }: Request, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    this.#checkAlive();
    if (message !== undefined) this.#port.postMessage(message, []);
    const words = this.#words;
    words.set([command, arena, offset, calls], control.COMMAND);
    const done = Atomics.load(words, control.DONE);
    Atomics.add(words, control.REQUEST, 1);
    Atomics.notify(words, control.REQUEST);
    await changed(words, control.DONE, done);
    this.#checkAlive();
    if (words[control.STATUS] === control.FAILED) throw this.#reason();
    return this.#times[control.MILLISECONDS]!;
  }

  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #reason(): KernelError {
    const received = receiveMessageOnPort(this.#port);
    return new KernelError('kernelFailed', `a kernel failed: ${String(received?.message)}`);
  }

  /** Ends the worker after all requests so far; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#enqueue({ command: control.STOP, arena: NO_ARENA }).catch(() => {});
    this.#worker.ref();
    await this.#ended;
    this.#port.close();
  }
}
