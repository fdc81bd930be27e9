/** The nodes that run inside this process. They belong to the process, not to visual nodes: a deploy closes every visual node and starts it again. */

import { InputError, startNode, type Node, type NodeConfig } from 'mqtile';
import { JobWatch } from './job-watch.ts';

/** A node that no mqtile-node asks for any more goes on this long: a redeploy comes back, and a run should not notice. */
const LINGER_MS = 30_000;

/** A running node, and what it knows of the jobs that visual nodes asked about. */
export class EmbeddedNode {
  readonly node: Node;
  readonly config: NodeConfig;
  readonly #watches = new Map<string, JobWatch>();

  constructor(node: Node, config: NodeConfig) {
    this.node = node;
    this.config = config;
  }

  /** What happens to the job of this name; the same watch for everybody. */
  watch(job: string): JobWatch {
    const watch = this.#watches.get(job) ?? new JobWatch(this.node, this.config.cluster, job);
    this.#watches.set(job, watch);
    return watch;
  }

  async close(): Promise<void> {
    await this.node.close();
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }
}

interface Entry {
  readonly settings: string;
  readonly started: Promise<EmbeddedNode>;
  users: number;
  linger: NodeJS.Timeout | undefined;
}

/** A claim on a running node. */
export interface Lease {
  /** @throws whatever kept the node from starting */
  readonly started: Promise<EmbeddedNode>;
  /** Idempotent. The node goes on for 30 s, in case the same settings come back. */
  release(): void;
}

const entries = new Map<string, Entry>();

/** Nodes that are closing, by key: their ports are taken until they are gone. */
const closing = new Map<string, Promise<void>>();

/**
 * The node of these settings: the one that runs already, or a new one.
 * @throws {InputError} `nodeTwice` when a node of this name runs with other settings that somebody uses
 */
export function leaseNode(config: NodeConfig, log: (line: string) => void): Lease {
  const key = `${config.cluster}/${config.name}`;
  const settings = JSON.stringify(config);
  const known = entries.get(key);
  if (known && known.settings !== settings) {
    if (known.users > 0) {
      throw new InputError(
        'nodeTwice',
        `${config.name} of cluster ${config.cluster} runs in this Node-RED already, with other settings; want one mqtile-node for each name`,
      );
    }
    void end(key, known);
  }
  const entry = entries.get(key) ?? begin(key, config, log);
  clearTimeout(entry.linger);
  entry.users++;
  let released = false;
  const release = () => {
    if (released) return;
    released = true;
    entry.users--;
    if (entry.users === 0) entry.linger = setTimeout(() => void end(key, entry), LINGER_MS).unref();
  };
  return { started: entry.started, release };
}

/** Ends all nodes that run in this process, used or not. Never rejects. */
export async function closeAllNodes(): Promise<void> {
  await Promise.all([...[...entries].map(([key, entry]) => end(key, entry)), ...closing.values()]);
}

function begin(key: string, config: NodeConfig, log: (line: string) => void): Entry {
  const start = async () => {
    await closing.get(key);
    return new EmbeddedNode(await startNode(config, { log }), config);
  };
  const entry: Entry = { settings: JSON.stringify(config), started: start(), users: 0, linger: undefined };
  entries.set(key, entry);
  // What did not start is forgotten, so that the next deploy tries again.
  entry.started.catch(() => {
    if (entries.get(key) === entry) entries.delete(key);
  });
  return entry;
}

function end(key: string, entry: Entry): Promise<void> {
  clearTimeout(entry.linger);
  if (entries.get(key) === entry) entries.delete(key);
  const ended = entry.started.then(
    (embedded) => embedded.close(),
    () => {},
  );
  const settled = ended
    .catch(() => {})
    .finally(() => {
      if (closing.get(key) === settled) closing.delete(key);
    });
  closing.set(key, settled);
  return settled;
}
