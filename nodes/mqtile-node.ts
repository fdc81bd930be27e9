/** mqtile-node: a node of the cluster, running inside Node-RED. Configuration for the nodes that use it. */

import type { ClusterNode } from './cluster/cluster-node.ts';
import { leaseNode, closeAllNodes, type EmbeddedNode } from './embedded/registry.ts';
import { nodeConfigOf, type NodeFields } from './embedded/settings.ts';
import type { FlowNode, Red, RuntimeEvent } from './red.ts';
import { report } from './safely.ts';

/** An mqtile-node as others use it. */
export interface MqtileNode extends FlowNode {
  /** The running node, wherever it runs. @throws whatever keeps it from running */
  cluster(): Promise<ClusterNode>;
  /** The running node, which must run in this process: what drives a run by itself needs its kernels. @throws whatever keeps it from running */
  embedded(): Promise<EmbeddedNode>;
}

/** Runtimes whose end we know of; tests start several in one process. */
const followed = new WeakSet<Red['events']>();

export default function register(red: Red): void {
  if (!followed.has(red.events)) {
    followed.add(red.events);
    red.events.on('runtime-event', closeWhenStopped);
  }
  red.nodes.registerType('mqtile-node', function (fields: NodeFields) {
    red.nodes.createNode(this, fields);
    const embedded = lease(this, fields, red);
    Object.assign(this, { cluster: () => embedded, embedded: () => embedded });
  });
}

function lease(node: FlowNode, fields: NodeFields, red: Red): Promise<EmbeddedNode> {
  const started = begin(node, fields, red);
  started.catch((error: unknown) => report(node, {}, error));
  return started;
}

async function begin(node: FlowNode, fields: NodeFields, red: Red): Promise<EmbeddedNode> {
  const { started, release } = leaseNode(nodeConfigOf(fields, red.settings), (line) => node.log(line));
  node.on('close', (done) => {
    release();
    done();
  });
  return started;
}

/** A deploy stops flows too, and says so; otherwise they stop for good. */
function closeWhenStopped({ id, payload }: RuntimeEvent): void {
  if (id === 'runtime-state' && payload?.state === 'stop' && !payload.deploy) void closeAllNodes();
}

/** @throws {Error} when the dialog names none */
export function mqtileNode(red: Red, id: string): MqtileNode {
  const node = red.nodes.getNode(id);
  if (node && 'embedded' in node) return node as MqtileNode;
  throw new Error('no MQTile node is chosen; open this node and choose one under Node');
}
