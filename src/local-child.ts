/** One node of a local cluster: a child process that gets its configuration from its parent and ends with it. */

import type { NodeConfig, PeerAddress } from './job/node-config.ts';
import { startNode, type Node } from './node.ts';
import type { KernelRates } from './tensor/rates.ts';

/** What the parent sends. */
export type ParentMessage =
  | { readonly kind: 'start'; readonly config: NodeConfig; readonly rates?: KernelRates }
  | { readonly kind: 'connect'; readonly peers: readonly PeerAddress[] };

/** What the child answers. */
export type ChildMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'log'; readonly line: string };

let node: Node | undefined;

function tell(message: ChildMessage): void {
  // Without a parent there is nobody to tell, and sending would be an error of its own.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}

async function start(config: NodeConfig, rates?: KernelRates): Promise<void> {
  try {
    const log = (line: string) => tell({ kind: 'log', line });
    node = await startNode(config, { log, ...(rates ? { rates } : {}) });
    tell({ kind: 'listening', port: node.port });
  } catch (error) {
    tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
}

async function stop(): Promise<void> {
  await node?.close();
  process.exit();
}

process.on('message', (message: ParentMessage) => {
  if (message.kind === 'start') void start(message.config, message.rates);
  else node?.connect(message.peers);
});
// The parent is gone, or wants us gone; the terminal's Ctrl-C reaches the parent too, which decides.
process.on('disconnect', () => void stop());
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => {});
