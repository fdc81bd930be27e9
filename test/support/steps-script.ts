/** StepsScript: training steps of another program, in a process of its own that waits between them. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

/** What a script says after each number of steps. */
export interface StepsAnswer {
  readonly ms: readonly number[];
  readonly loss: number;
  readonly memoryPeakBytes: number;
}

/** A script that runs as many steps as each line of its standard input says, and answers with one JSON object. */
export class StepsScript implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<unknown>;

  constructor([command = '', ...args]: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
    this.#lines = createInterface(this.#child.stdout!);
    this.#ended = once(this.#child, 'exit');
  }

  async run(steps: number): Promise<StepsAnswer> {
    const line = once(this.#lines, 'line').then(([text]) => JSON.parse(String(text)) as StepsAnswer);
    const ended = this.#ended.then(() => {
      throw new Error('the script ended');
    });
    this.#child.stdin!.write(`${steps}\n`);
    return await Promise.race([line, ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    await this.#ended;
  }
}
