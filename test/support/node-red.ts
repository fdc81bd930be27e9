/** A Node-RED runtime with our palette as it is published, one at a time in a process: tests that use it are serial. */

import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import helper from 'node-red-node-test-helper';
import type { closeAllDaemons as CloseAllDaemons } from '../../nodes/attached/registry.ts';
import type { closeAllNodes as CloseAllNodes } from '../../nodes/embedded/registry.ts';

const require = createRequire(import.meta.url);

/** Types of the palette, as the package lists them. */
export const TYPES: readonly string[] = Object.keys(
  (require('../../package.json') as { 'node-red': { nodes: object } })['node-red'].nodes,
);

/** A folder of the compiled nodes, which is what Node-RED loads. */
const COMPILED = new URL('../../dist/nodes/', import.meta.url);

/** What does not come within this time, on a busy machine too, does not come. */
const PATIENCE_MS = 60_000;

interface Nodes {
  readonly closeAllNodes: typeof CloseAllNodes;
}

interface Daemons {
  readonly closeAllDaemons: typeof CloseAllDaemons;
}

export interface Status {
  readonly fill?: string;
  readonly text?: string;
}

type Message = Record<string, unknown>;

/** Core nodes that the flows of tests use. */
const CORE = [
  'common/20-inject.js',
  'common/21-debug.js',
  'common/25-catch.js',
  'common/90-comment.js',
  'function/10-function.js',
];

/** A running runtime. */
export class Runtime {
  /** Latest status by node id. */
  readonly statuses = new Map<string, Status>();
  readonly #messages = new Map<string, Message[]>();
  readonly #wakers = new Set<() => void>();
  readonly #events = (require('node-red') as { events: NodeJS.EventEmitter }).events;
  #stopped: Promise<void> | undefined;
  readonly #onStatus = ({ id, status }: { id: string; status: Status }) => {
    this.statuses.set(id, status);
    this.#wake();
  };

  async start(settings: Message): Promise<void> {
    helper.init(require.resolve('node-red'));
    helper.settings({ uiHost: '127.0.0.1', ...settings });
    await helper.startServer();
    this.#events.on('node-status', this.#onStatus);
  }

  async load(flow: readonly object[]): Promise<void> {
    const ours = await Promise.all(
      TYPES.map(async (type) => ((await import(new URL(`${type}.js`, COMPILED).href)) as { default: unknown }).default),
    );
    const core = CORE.map((path) => require(`@node-red/nodes/core/${path}`) as unknown);
    await helper.load([...ours, ...core], flow);
    this.#listen(flow);
  }

  /** What the editor's Deploy button does by default: every node is closed and made anew. */
  async deploy(flow: readonly object[], kind: 'full' | 'flows' | 'nodes' = 'full'): Promise<void> {
    this.statuses.clear();
    await helper.setFlows(flow, kind).catch((error: unknown) => {
      // The helper waits for an event that may have come before it looked.
      if (!String(error).includes('timeout waiting event')) throw error;
    });
    this.#listen(flow);
  }

  inject(id: string, message: Message): void {
    helper.getNode(id)!.receive(message);
  }

  /** What came to a `helper` node, all deploys together. */
  messages(id: string): readonly Message[] {
    return this.#messages.get(id) ?? [];
  }

  request(path: string): Promise<{ status: number; body: unknown }> {
    return helper.request().get(path);
  }

  /** Waits for something in statuses and messages. */
  async until<Found>(find: () => Found | undefined): Promise<Found> {
    const late = setTimeout(() => this.#wake(), PATIENCE_MS);
    const began = performance.now();
    try {
      for (let found = find(); ; found = find()) {
        if (found !== undefined) return found;
        if (performance.now() - began >= PATIENCE_MS) throw new Error(`it did not come: ${this.#describe()}`);
        await new Promise<void>((resolve) => this.#wakers.add(resolve));
      }
    } finally {
      clearTimeout(late);
    }
  }

  #describe(): string {
    const statuses = [...this.statuses].map(([id, status]) => `${id}: ${JSON.stringify(status)}`);
    const errors = this.messages('errors').map((message) => JSON.stringify(message['error']));
    return [...statuses, ...errors].join('\n');
  }

  message(id: string, index = 0): Promise<Message> {
    return this.until(() => this.messages(id)[index]);
  }

  status(id: string, holds: (status: Status) => boolean): Promise<Status> {
    return this.until(() => [this.statuses.get(id)].find((status) => status && holds(status)));
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#events.off('node-status', this.#onStatus);
    await helper.unload();
    const { closeAllNodes } = (await import(new URL('embedded/registry.js', COMPILED).href)) as Nodes;
    const { closeAllDaemons } = (await import(new URL('attached/registry.js', COMPILED).href)) as Daemons;
    await Promise.all([closeAllNodes(), closeAllDaemons()]);
    await helper.stopServer();
  }

  #listen(flow: readonly object[]): void {
    for (const { id, type } of flow as readonly { id: string; type: string }[]) {
      if (type !== 'helper') continue;
      helper.getNode(id)!.on('input', (message) => {
        this.#messages.set(id, [...this.messages(id), message]);
        this.#wake();
      });
    }
  }

  #wake(): void {
    for (const waker of this.#wakers) waker();
    this.#wakers.clear();
  }
}

/** Starts a runtime that ends with the test. */
export async function startRuntime(t: ExecutionContext, settings: Message = {}): Promise<Runtime> {
  const runtime = new Runtime();
  await runtime.start(settings);
  t.teardown(() => runtime.stop());
  return runtime;
}

/** Ports of loopback that nobody listens on. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
