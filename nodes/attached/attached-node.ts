/** AttachedNode: the daemon of this computer, as visual nodes use it. It may be away, and come back. */

import { RunError, type AcceptedRun, type Attachment, type Submission } from 'mqtile';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { DocumentListener } from '../cluster/listening.ts';
import { JobWatch } from '../cluster/job-watch.ts';
import { writersOf } from '../cluster/writers.ts';

export class AttachedNode implements ClusterNode {
  readonly kind = 'attached';
  readonly #attachment: Attachment;
  readonly #refuse: (node: ClusterNode) => void;
  readonly #watches = new Map<string, JobWatch>();
  readonly #listeners = new Set<() => void>();

  /** @param refuse throws where a job may not be handed in from this Node-RED */
  constructor(attachment: Attachment, refuse: (node: ClusterNode) => void) {
    this.#attachment = attachment;
    this.#refuse = refuse;
    attachment.onPresence(() => this.#changed());
  }

  get name(): string {
    return this.#attachment.identity?.name ?? '';
  }

  get cluster(): string {
    return this.#attachment.identity?.cluster ?? '';
  }

  get peers(): readonly string[] {
    return this.#attachment.identity?.peers.map(({ name }) => name) ?? [];
  }

  get writers(): Submission['writers'] {
    const addresses = this.#attachment.identity?.peers.map(({ address }) => address) ?? [];
    return writersOf(addresses.map((address) => address.slice(0, address.lastIndexOf(':'))));
  }

  get away(): string | undefined {
    return this.#attachment.away;
  }

  onPresence(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  on(filter: string, listener: DocumentListener): () => void {
    return this.#attachment.on(filter, listener);
  }

  watch(job: string): JobWatch {
    const watch = this.#watches.get(job) ?? new JobWatch(this, job);
    this.#watches.set(job, watch);
    return watch;
  }

  /** Who drives the run there is for the daemon to say. */
  async submit(submission: Submission): Promise<AcceptedRun> {
    this.#refuse(this);
    return this.#attachment.submit(submission);
  }

  stop(): Promise<void> {
    return this.#attachment.request('stop');
  }

  pause(): Promise<void> {
    return this.#attachment.request('pause');
  }

  resume(): Promise<void> {
    return this.#attachment.request('resume');
  }

  async close(): Promise<void> {
    await this.#attachment.close();
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#listeners.clear();
  }

  #changed(): void {
    const { away, path } = this.#attachment;
    const gone = `the daemon at ${path} went away during the run; start mqtile node, then go on with resume`;
    for (const watch of this.#watches.values()) {
      if (away === undefined) watch.found();
      else watch.lost(new RunError('nodeGone', gone));
    }
    // After its documents, which are told in this turn.
    queueMicrotask(() => {
      for (const listener of this.#listeners) listener();
    });
  }
}
