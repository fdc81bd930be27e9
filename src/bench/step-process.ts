/** StepProcess: the process in which steps are measured, as its parent sees it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KernelError } from '../errors.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../footprint.ts';
import type { Answers, Question, Reply } from './step-child.ts';

export interface StepProcessOptions {
  /** A command that starts the process in its own way, e.g. `['taskset', '-c', '1']`. */
  readonly prefix?: readonly string[];
  /** The process's code: what stands beside this file, with the same extension, unless said. */
  readonly file?: URL;
  /** Variables besides this process's. */
  readonly environment?: Readonly<Record<string, string>>;
}

const BESIDE = new URL(`./step-child${extname(import.meta.url)}`, import.meta.url);

export class StepProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor({ prefix = [], file = BESIDE, environment = {} }: StepProcessOptions = {}) {
    const [command, ...args] = [...prefix, process.execPath, ...NODE_FLAGS, fileURLToPath(file)];
    this.#child = spawn(command, args, {
      env: { ...process.env, ...NODE_ENVIRONMENT, ...environment },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#ended = once(this.#child, 'exit');
  }

  /**
   * Asks one thing; the next may be asked when it was answered.
   * @throws {KernelError} with the code of what went wrong there, `benchFailed` when the process ended
   */
  async ask<Ask extends Question['ask']>(question: Question & { readonly ask: Ask }): Promise<Answers[Ask]> {
    this.#child.send(question);
    const ended = this.#ended.then((): Reply => ({ code: 'benchFailed', reason: 'the measured process ended' }));
    const answered = once(this.#child, 'message').then(([message]) => message as Reply);
    const reply = await Promise.race([answered, ended]);
    if ('reason' in reply) throw new KernelError(reply.code, reply.reason);
    return reply.answer as Answers[Ask];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}
