/** Who can edit flows can start jobs on all peers, so an editor that others reach must ask who they are. */

import { InputError, isLoopback } from 'mqtile';
import type { RedSettings } from '../red.ts';

/** @throws {InputError} `editorOpen` for a node with peers while anybody on the network can open the editor */
export function refuseOpenEditor(
  { name, peers }: { readonly name: string; readonly peers: readonly unknown[] },
  { uiHost, httpAdminRoot, adminAuth }: RedSettings,
): void {
  if (peers.length === 0 || httpAdminRoot === false || adminAuth) return;
  if (uiHost !== undefined && isLoopback(uiHost)) return;
  throw new InputError(
    'editorOpen',
    `${name} has peers, and anybody on the network can open this editor (uiHost: ${uiHost ?? 'not set'}); set adminAuth, or uiHost: "127.0.0.1", in Node-RED's settings.js`,
  );
}
