/** Whole nodes in one process, over real brokers on loopback: for what cannot be done to a child process from outside. */

import { startNode, type Node, type NodeOptions } from '../../src/node.ts';

export interface Nodes extends AsyncDisposable {
  /** By rank. */
  readonly nodes: readonly Node[];
  readonly cluster: string;
  /** Broker of the first one. */
  readonly url: string;
}

/** Starts node1 to nodeN and connects each with all others. @param optionsOf by rank */
export async function startNodes(count: number, optionsOf: (rank: number) => NodeOptions = () => ({})): Promise<Nodes> {
  const cluster = 'test';
  const listen = { host: '127.0.0.1', port: 0 };
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, rank) =>
      startNode({ name: `node${rank + 1}`, cluster, listen, peers: [], threads: 1, insecure: false }, optionsOf(rank)),
    ),
  );
  for (const node of nodes) {
    node.connect(nodes.filter((other) => other !== node).map(({ name, port }) => ({ name, host: '127.0.0.1', port })));
  }
  const close = async () => void (await Promise.all(nodes.map((node) => node.close())));
  return { nodes, cluster, url: `mqtt://127.0.0.1:${nodes[0]!.port}`, [Symbol.asyncDispose]: close };
}
