/** The nodes that run inside this process. They belong to the process, not to visual nodes. */

import {
  InputError,
  isLoopback,
  startNode,
  type AcceptedRun,
  type Node,
  type NodeConfig,
  type Submission,
} from 'mqtile';
import type { ClusterNode, DocumentListener } from '../cluster/cluster-node.ts';
import { JobWatch } from '../cluster/job-watch.ts';
import { Leases, type Lease } from '../cluster/leases.ts';

/** A node in this process, and what it knows of the jobs that visual nodes asked about. */
export class EmbeddedNode implements ClusterNode {
  readonly kind = 'embedded';
  readonly node: Node;
  readonly config: NodeConfig;
  /** It is there as long as this process is. */
  readonly away = undefined;
  readonly #watches = new Map<string, JobWatch>();

  constructor(node: Node, config: NodeConfig) {
    this.node = node;
    this.config = config;
  }

  get name(): string {
    return this.config.name;
  }

  get cluster(): string {
    return this.config.cluster;
  }

  get peers(): readonly string[] {
    return this.config.peers.map(({ name }) => name);
  }

  /** Nodes on one machine share its disk: one checkpoint is enough, and two writers of one file too many. */
  get writers(): Submission['writers'] {
    return this.config.peers.every(({ host }) => isLoopback(host)) ? 'first' : 'all';
  }

  onPresence(): () => void {
    return () => {};
  }

  on(filter: string, listener: DocumentListener): () => void {
    let old = true;
    const unsubscribe = this.node.bulletin.on(filter, (topic, document) => listener(topic, document, old));
    old = false;
    return unsubscribe;
  }

  watch(job: string): JobWatch {
    const watch = this.#watches.get(job) ?? new JobWatch(this, job);
    this.#watches.set(job, watch);
    return watch;
  }

  submit(submission: Submission): Promise<AcceptedRun> {
    return this.node.submit(submission);
  }

  stop(): Promise<void> {
    this.node.stop();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.node.close();
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }
}

const leases = new Leases<EmbeddedNode>();

/**
 * The node of these settings: the one that runs already, or a new one.
 * @throws {InputError} `nodeTwice` when a node of this name runs with other settings that somebody uses
 */
export function leaseNode(config: NodeConfig, log: (line: string) => void): Lease<EmbeddedNode> {
  const { cluster, name } = config;
  return leases.lease({
    key: `${cluster}/${name}`,
    settings: JSON.stringify(config),
    start: async () => new EmbeddedNode(await startNode(config, { log }), config),
    taken: () =>
      new InputError(
        'nodeTwice',
        `${name} of cluster ${cluster} runs in this Node-RED already, with other settings; want one mqtile-node for each name`,
      ),
  });
}

/** Ends all nodes that run in this process, used or not. Never rejects. */
export function closeAllNodes(): Promise<void> {
  return leases.closeAll();
}
