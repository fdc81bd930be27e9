/** Real nodes in one process, each with its own broker on loopback, connected with each other. */

import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import { createMqttTransport } from '../../src/transport/mqtt.ts';
import type { MqttTransport, MqttTransportOptions } from '../../src/transport/mqtt.ts';
import type { Transport } from '../../src/transport/transport.ts';

/** Nodes that know each other. */
export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly MqttTransport[];
  readonly transports: readonly Transport[];
}

let instances = 0;

/** One node, listening and not connected. */
export function node(name: string, options: Partial<MqttTransportOptions> = {}): Promise<MqttTransport> {
  const info = { version: '0', protocol: PROTOCOL_VERSION, instance: `i${instances++}`, cores: 1, memoryBytes: 1 };
  return createMqttTransport({ cluster: 'c', name, info, listen: { host: '127.0.0.1', port: 0 }, ...options });
}

/** Starts nodes, connects each with every other one and waits until all are up. */
export async function cluster(names: readonly string[], options: Partial<MqttTransportOptions> = {}): Promise<Cluster> {
  const nodes = await Promise.all(names.map((name) => node(name, options)));
  const addresses = nodes.map(({ transport, port }) => ({ name: transport.self, host: '127.0.0.1', port }));
  for (const one of nodes) one.connect(addresses);
  await until(() => nodes.every((one) => one.peersUp().length === names.length - 1));
  return {
    nodes,
    transports: nodes.map((one) => one.transport),
    [Symbol.asyncDispose]: async () => void (await Promise.all(nodes.map((one) => one.close()))),
  };
}

/** Resolves once something holds. */
export async function until(holds: () => boolean, what = 'what was expected', limitMs = 10_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 5);
    await promise;
  }
}
