/** PeerStates: what the nodes of a cluster last said of themselves, and so whom a run waits for. */

import type { ClusterNode } from './cluster-node.ts';
import { isRecord } from './job-watch.ts';

/** Peers that were never heard, or said or were said to be offline. @param states by name of the node */
export function missingPeers(peers: readonly string[], states: ReadonlyMap<string, string>): readonly string[] {
  return peers.filter((peer) => (states.get(peer) ?? 'offline') === 'offline');
}

export class PeerStates {
  readonly #node: ClusterNode;
  readonly #states = new Map<string, string>();
  readonly #unsubscribe: readonly (() => void)[];

  /** @param changed called when any of it, or the presence of the node itself, is another; not during construction */
  constructor(node: ClusterNode, changed: () => void) {
    this.#node = node;
    let begun = false;
    this.#unsubscribe = [
      node.on('mqtile/+/node/+/state', (topic, document) => {
        const state = isRecord(document) ? document['state'] : undefined;
        if (typeof state !== 'string') return;
        this.#states.set(topic.split('/')[3]!, state);
        if (begun) changed();
      }),
      node.onPresence(() => {
        if (node.away !== undefined) this.#states.clear();
        changed();
      }),
    ];
    begun = true;
  }

  /** Why the node itself cannot be asked. */
  get away(): string | undefined {
    return this.#node.away;
  }

  /** Peers that are not there. */
  get missing(): readonly string[] {
    return missingPeers(this.#node.peers, this.#states);
  }

  /** Whether the run is paused on this node. */
  get paused(): boolean {
    return this.#states.get(this.#node.name) === 'paused';
  }

  /** Peers on which it is paused. */
  get pausedPeers(): readonly string[] {
    return this.#node.peers.filter((peer) => this.#states.get(peer) === 'paused');
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }
}
