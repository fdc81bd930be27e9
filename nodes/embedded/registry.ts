/** The nodes that run inside this process. They belong to the process, not to visual nodes. */

import {
  InputError,
  jobOf,
  kernelRates,
  startNode,
  type AcceptedRun,
  type Node,
  type NodeConfig,
  type Submission,
} from 'mqtile';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { DocumentListener } from '../cluster/listening.ts';
import { JobWatch } from '../cluster/job-watch.ts';
import { Leases, type Lease } from '../cluster/leases.ts';
import { writersOf } from '../cluster/writers.ts';
import { WiredDriver } from '../wired/driver.ts';

/** A node in this process, and what it knows of the jobs that visual nodes asked about. */
export class EmbeddedNode implements ClusterNode {
  readonly kind = 'embedded';
  readonly node: Node;
  readonly config: NodeConfig;
  /** Who drives its runs. */
  readonly driver: WiredDriver;
  /** It is there as long as this process is. */
  readonly away = undefined;
  readonly #watches = new Map<string, JobWatch>();

  constructor(node: Node, config: NodeConfig, driver: WiredDriver) {
    this.node = node;
    this.config = config;
    this.driver = driver;
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

  get writers(): Submission['writers'] {
    return writersOf(this.config.peers.map(({ host }) => host));
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

  submit(submission: Submission, by: 'trainer' | 'wires' = 'trainer'): Promise<AcceptedRun> {
    const submit = () => this.node.submit(submission);
    return by === 'wires' ? submit() : this.driver.withTrainer(jobOf(submission).name, submit);
  }

  stop(): Promise<void> {
    this.node.stop();
    return Promise.resolve();
  }

  pause(): Promise<void> {
    this.node.pause();
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.node.continue();
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
    start: () => startEmbedded(config, log),
    taken: () =>
      new InputError(
        'nodeTwice',
        `${name} of cluster ${cluster} runs in this Node-RED already, with other settings; want one mqtile-node for each name`,
      ),
  });
}

/** V8's revectorization is a flag of the whole process, and experimental: not for the WebAssembly of others in this Node-RED. */
async function startEmbedded(config: NodeConfig, log: (line: string) => void): Promise<EmbeddedNode> {
  const driver = new WiredDriver(config.name);
  const rates = await kernelRates({ revectorize: false });
  const node = await startNode(config, { log, drive: driver.drive, revectorize: false, rates });
  return new EmbeddedNode(node, config, driver);
}

/** Ends all nodes that run in this process, used or not. Never rejects. */
export function closeAllNodes(): Promise<void> {
  return leases.closeAll();
}
