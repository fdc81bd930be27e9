/** PyTorch, where Debian's python3-torch is installed: what MQTile is compared with. It is never needed to build or to train. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

export const PYTHON = '/usr/bin/python3';

/** Why there is nothing to compare with, or undefined where there is. */
export function whyNoPytorch(): string | undefined {
  const probe = spawnSync(PYTHON, ['-c', 'import torch, numpy']);
  return probe.status === 0
    ? undefined
    : `no PyTorch in ${PYTHON}: apt-get install python3-torch python3-numpy libopenblas0`;
}

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

  /** @param prefix a command that starts the script in its own way, e.g. `['taskset', '-c', '1']` */
  constructor(args: readonly string[], threads: number, prefix: readonly string[] = []) {
    const words = [...prefix, PYTHON, ...args];
    const env = { ...process.env, OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) };
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env });
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
