/** The command as a person meets it: a process of its own, whose two streams and exit code are all that is looked at. */

import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The compiled command, as people run it. */
export const COMPILED_MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** The file to run instead of the sources' {@link MAIN}. */
  readonly main?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

type Line = { readonly event: string } & Record<string, unknown>;

/** A running command. */
export class Command {
  readonly child: ChildProcess;
  /** Settles when the process has ended and both streams are read. */
  readonly ended: Promise<Outcome>;
  stdout = '';
  stderr = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], { main = MAIN, cwd, env }: CommandOptions = {}) {
    this.child = spawn(process.execPath, [main, ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      // ava asks for colours on behalf of its own output.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, NODE_OPTIONS: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#take('stdout', text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => this.#take('stderr', text));
    this.child.once('exit', () => this.#wake());
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => {
        this.#wake();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Whole lines of standard output so far, parsed; for commands with --json. */
  events(): readonly Line[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  }

  /** Waits for something in what was printed. @throws when the command ends before */
  async until<Found>(find: (command: Command) => Found | undefined, what: string): Promise<Found> {
    for (let found = find(this); ; found = find(this)) {
      if (found !== undefined) return found;
      const { exitCode, signalCode } = this.child;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`ended (${exitCode ?? signalCode}) before ${what}:\n${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** Waits for a line of --json. */
  event(name: string, holds: (line: Line) => boolean = () => true): Promise<Line> {
    return this.until((command) => command.events().find((line) => line.event === name && holds(line)), name);
  }

  #take(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    this.#wake();
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }
}

/** Starts the command, and makes sure that it is gone when the test is over. */
export function startCommand(t: ExecutionContext, args: readonly string[], options: CommandOptions = {}): Command {
  const command = new Command(args, options);
  t.teardown(async () => {
    command.child.kill('SIGKILL');
    await command.ended;
  });
  return command;
}

/** Runs the command to its end. */
export function runCommand(t: ExecutionContext, args: readonly string[], options?: CommandOptions): Promise<Outcome> {
  return startCommand(t, args, options).ended;
}

/** What `train --json` ends with. */
export interface ResultLine {
  readonly event: 'result';
  readonly testAccuracy: number | null;
  readonly checkpoint: string | null;
  readonly curve: string | null;
  readonly weightsChecksum: string;
  readonly nodes: readonly {
    readonly node: string;
    readonly tile: string;
    readonly memoryPeakBytes: number;
    readonly memoryGrowthBytes: number;
    readonly memoryPredictedBytes: number;
  }[];
}

/** Trains with --json to the end. @throws unless it exits with 0 */
export async function train(t: ExecutionContext, args: readonly string[]): Promise<ResultLine> {
  const command = startCommand(t, ['train', ...args, '--json']);
  const { code, stderr } = await command.ended;
  if (code !== 0) throw new Error(`exit code ${code}:\n${stderr}`);
  return command.events().at(-1) as unknown as ResultLine;
}
