/** startLocalCluster: N nodes as child processes of this one, each with its own broker on loopback, bridged peer to peer. */

import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TransportError } from './errors.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from './footprint.ts';
import type { NodeConfig } from './job/node-config.ts';
import type { ChildMessage, ParentMessage } from './local-child.ts';
import type { KernelRates } from './tensor/rates.ts';

/** A child has this long to start its broker. */
const START_MS = 30_000;

/** A child that was asked to end and has not after this long is killed. */
const STOP_MS = 5_000;

const LOOPBACK = '127.0.0.1';

export interface LocalClusterOptions {
  readonly nodes: number;
  readonly cluster?: string;
  /** What the kernels of this machine take, as each of its nodes says. */
  readonly rates?: KernelRates;
  /** Lines of a node about its jobs. */
  readonly log?: (node: string, line: string) => void;
  /** A node ended that was not asked to. */
  readonly onExit?: (node: string, how: string) => void;
}

export interface LocalNode {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

export interface LocalCluster extends AsyncDisposable {
  readonly cluster: string;
  /** By rank; node1 is the one that jobs are submitted to. */
  readonly nodes: readonly LocalNode[];
  close(): Promise<void>;
}

/**
 * Starts node1 to nodeN on free ports and connects each with all others. They share the cores: kernel threads of all are as many, one a node at least.
 * @throws {TransportError} `nodeStart` when a child does not come up
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { nodes: count, cluster = 'local' } = options;
  const children: ChildProcess[] = [];
  const close = once(() => stopAll(children));
  try {
    const started = Array.from({ length: count }, (_, rank) => {
      const name = `node${rank + 1}`;
      const child = spawn();
      children.push(child);
      return begin(child, { name, cluster, threads: threadsOf(count) }, options);
    });
    const nodes = await Promise.all(started);
    for (const [rank, child] of children.entries()) {
      const peers = nodes
        .filter((_, other) => other !== rank)
        .map(({ name, port }) => ({ name, host: LOOPBACK, port }));
      send(child, { kind: 'connect', peers });
      child.on('exit', (code, signal) => {
        if (!close.called()) options.onExit?.(nodes[rank]!.name, signal ?? `exit code ${code}`);
      });
    }
    return { cluster, nodes, close: close.run, [Symbol.asyncDispose]: close.run };
  } catch (error) {
    await close.run();
    throw error;
  }
}

function spawn(): ChildProcess {
  // Compiled and source code lie side by side with the same extension as this file.
  const file = new URL(`./local-child${extname(import.meta.url)}`, import.meta.url);
  return fork(fileURLToPath(file), {
    execArgv: [...NODE_FLAGS],
    env: { ...process.env, ...NODE_ENVIRONMENT },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** Kernel threads of each of so many nodes: together as many as there are cores, but one at least. */
function threadsOf(nodes: number): number {
  return Math.max(1, Math.floor(availableParallelism() / nodes));
}

type Part = Pick<NodeConfig, 'name' | 'cluster' | 'threads'>;

function begin(child: ChildProcess, part: Part, { log, rates }: LocalClusterOptions): Promise<LocalNode> {
  const { name } = part;
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new TransportError('nodeStart', `${name} did not start: ${why}`));
    const timer = setTimeout(() => fail(`nothing heard for ${START_MS / 1000} s`), START_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? `exit code ${code}`}`));
    child.on('message', (message: ChildMessage) => {
      if (message.kind === 'log') return log?.(name, message.line);
      clearTimeout(timer);
      if (message.kind === 'listening') resolve({ name, port: message.port, pid: child.pid! });
      else fail(message.reason);
    });
    const listen = { host: LOOPBACK, port: 0 };
    const config = { ...part, listen, peers: [], insecure: false };
    send(child, { kind: 'start', config, ...(rates ? { rates } : {}) });
  });
}

function send(child: ChildProcess, message: ParentMessage): void {
  child.send(message);
}

async function stopAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      if (child.connected) child.disconnect();
      await exited;
      clearTimeout(timer);
    }),
  );
}

/** A closing function that runs once, however often it is called. */
function once(action: () => Promise<void>): { run: () => Promise<void>; called: () => boolean } {
  let running: Promise<void> | undefined;
  return { run: () => (running ??= action()), called: () => running !== undefined };
}
