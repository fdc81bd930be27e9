/** Settings of an mqtile-node that runs in Node-RED, as its dialog stores them, made a node's configuration with the same checks as the file of `mqtile node`. */

import { availableParallelism } from 'node:os';
import { parseNodeConfig, type NodeConfig } from 'mqtile';
import { refuseOpenEditor } from '../cluster/open-editor.ts';
import type { RedSettings } from '../red.ts';

/** Fields of the edit dialog. */
export interface EmbeddedFields {
  /** Missing in flows from before there was a choice. */
  readonly mode?: 'embedded';
  readonly node: string;
  readonly cluster: string;
  readonly listen: string;
  readonly peers: readonly { readonly name: string; readonly address: string }[];
  readonly insecure: boolean;
}

/** One core is left to Node-RED's own flows. @throws {InputError} `keyInvalid`, `insecureAddress`, `editorOpen` */
export function nodeConfigOf(fields: EmbeddedFields, settings: RedSettings): NodeConfig {
  const { node: name, cluster, listen, peers, insecure } = fields;
  // JSON is YAML: the dialog's fields take the same way as the file's keys.
  const threads = Math.max(1, availableParallelism() - 1);
  const config = parseNodeConfig(JSON.stringify({ name, cluster, listen, peers, threads, insecure }), 'mqtile-node');
  refuseOpenEditor(config, settings);
  return config;
}
