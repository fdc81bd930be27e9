/** mqtile-node: a node of the cluster, running inside Node-RED or as the daemon of this computer. Configuration for the nodes that use it. */

import { InputError } from 'mqtile';
import { closeAllDaemons, leaseDaemon } from './attached/registry.ts';
import { socketOf, type AttachedFields } from './attached/settings.ts';
import type { ClusterNode } from './cluster/cluster-node.ts';
import type { Lease } from './cluster/leases.ts';
import { EmbeddedNode, closeAllNodes, leaseNode } from './embedded/registry.ts';
import { nodeConfigOf, type EmbeddedFields } from './embedded/settings.ts';
import type { FlowNode, Red, RuntimeEvent } from './red.ts';
import { report } from './safely.ts';

type NodeFields = EmbeddedFields | AttachedFields;

/** An mqtile-node as others use it. */
export interface MqtileNode extends FlowNode {
  /** The node, wherever it runs; a daemon may be away. @throws whatever keeps it from running */
  cluster(): Promise<ClusterNode>;
  /** The node, which must run in this process: who drives a run by wires needs its kernels. @throws {InputError} `attachedNode`; whatever keeps it from running */
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
    const cluster = begin(this, fields, red);
    cluster.catch((error: unknown) => report(this, {}, error));
    Object.assign(this, { cluster: () => cluster, embedded: async () => embeddedOnly(await cluster) });
  });
}

async function begin(node: FlowNode, fields: NodeFields, red: Red): Promise<ClusterNode> {
  const { started, release } = lease(node, fields, red);
  node.on('close', (done) => {
    release();
    done();
  });
  return started;
}

function lease(node: FlowNode, fields: NodeFields, { settings }: Red): Lease<ClusterNode> {
  const log = (line: string) => node.log(line);
  return fields.mode === 'attached'
    ? leaseDaemon(socketOf(fields), settings, log)
    : leaseNode(nodeConfigOf(fields, settings), log);
}

function embeddedOnly(node: ClusterNode): EmbeddedNode {
  if (node instanceof EmbeddedNode) return node;
  throw new InputError(
    'attachedNode',
    'this MQTile node is a daemon, whose kernels wires cannot reach; choose one that runs in Node-RED under Node, or let mqtile-train train',
  );
}

/** A deploy stops flows too, and says so; otherwise they stop for good. */
function closeWhenStopped({ id, payload }: RuntimeEvent): void {
  if (id !== 'runtime-state' || payload?.state !== 'stop' || payload.deploy) return;
  void closeAllNodes();
  void closeAllDaemons();
}

/** @throws {Error} when the dialog names none */
export function mqtileNode(red: Red, id: string): MqtileNode {
  const node = red.nodes.getNode(id);
  if (node && 'embedded' in node) return node as MqtileNode;
  throw new Error('no MQTile node is chosen; open this node and choose one under Node');
}
