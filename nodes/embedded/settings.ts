/** Settings of an mqtile-node, as its dialog stores them, made a node's configuration with the same checks as the file of `mqtile node`. */

import { InputError, isLoopback, parseNodeConfig, type NodeConfig } from 'mqtile';
import type { RedSettings } from '../red.ts';

/** Fields of the edit dialog. */
export interface NodeFields {
  readonly node: string;
  readonly cluster: string;
  readonly listen: string;
  readonly peers: readonly { readonly name: string; readonly address: string }[];
  readonly insecure: boolean;
}

/** @throws {InputError} `keyInvalid`, `insecureAddress`, `editorOpen` */
export function nodeConfigOf(fields: NodeFields, settings: RedSettings): NodeConfig {
  const { node: name, cluster, listen, peers, insecure } = fields;
  // JSON is YAML: the dialog's fields take the same way as the file's keys.
  const config = parseNodeConfig(JSON.stringify({ name, cluster, listen, peers, insecure }), 'mqtile-node');
  refuseOpenEditor(config, settings);
  return config;
}

/** Who can edit flows can start jobs on all peers, so an editor that others reach must ask who they are. */
function refuseOpenEditor({ name, peers }: NodeConfig, { uiHost, httpAdminRoot, adminAuth }: RedSettings): void {
  if (peers.length === 0 || httpAdminRoot === false || adminAuth) return;
  if (uiHost !== undefined && isLoopback(uiHost)) return;
  throw new InputError(
    'editorOpen',
    `${name} has peers, and anybody on the network can open this editor (uiHost: ${uiHost ?? 'not set'}); set adminAuth, or uiHost: "127.0.0.1", in Node-RED's settings.js`,
  );
}
