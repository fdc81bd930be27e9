/** A flow with one mqtile-train for each node, and helpers that take what comes out. */

export interface Wiring {
  readonly job: string;
  readonly grid?: string;
  /** Ports of node1, node2, …, each with all others as peers; port 0 for a free one. */
  readonly ports?: readonly number[];
  /** Socket of a daemon that n1 is attached to, instead of nodes in Node-RED. */
  readonly socket?: string;
}

/** mqtile-train at node1 -> two helpers, and a Catch node with a third. */
export function trainFlow({ job, grid = '1x1', ports = [0], socket }: Wiring): readonly Record<string, unknown>[] {
  const attached = { id: 'n1', type: 'mqtile-node', name: '', mode: 'attached', socket };
  const embedded = ports.map((port, rank) => ({
    id: `n${rank + 1}`,
    type: 'mqtile-node',
    name: '',
    node: `node${rank + 1}`,
    cluster: 'local',
    listen: `127.0.0.1:${port}`,
    insecure: false,
    peers: ports
      .map((port, other) => ({ name: `node${other + 1}`, address: `127.0.0.1:${port}` }))
      .filter((_, other) => other !== rank),
  }));
  const nodes = socket === undefined ? embedded : [attached];
  const measures = ['loss', 'memory'];
  const wired: readonly Record<string, unknown>[] = [
    { id: 'tab', type: 'tab', label: 'test' },
    ...nodes,
    { id: 'job', type: 'mqtile-job', name: '', path: job, grid, steps: '' },
    { id: 'train', z: 'tab', type: 'mqtile-train', node: 'n1', job: 'job', wires: [['progress'], ['model']] },
    ...nodes
      .slice(1)
      .map(({ id }) => ({ id: `on-${id}`, z: 'tab', type: 'mqtile-train', node: id, job: 'job', wires: [[], []] })),
    { id: 'telemetry', z: 'tab', type: 'mqtile-telemetry', node: 'n1', job: '', measures, wires: [['figures']] },
    { id: 'figures', z: 'tab', type: 'helper' },
    { id: 'progress', z: 'tab', type: 'helper' },
    { id: 'model', z: 'tab', type: 'helper' },
    { id: 'catch', z: 'tab', type: 'catch', scope: null, uncaught: false, wires: [['errors']] },
    { id: 'errors', z: 'tab', type: 'helper' },
  ];
  // Without a place on the tab, Node-RED takes a node for a configuration node.
  return wired.map((node) => (node['z'] === undefined ? node : { ...node, x: 100, y: 100 }));
}

/** What a Catch node made of an error. */
export function errorAt(message: Record<string, unknown>): { message: string; code?: string; source: { id: string } } {
  return message['error'] as { message: string; code?: string; source: { id: string } };
}
