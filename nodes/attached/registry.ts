/** The connections of this process to daemons. They belong to the process, not to visual nodes. */

import { Attachment, InputError } from 'mqtile';
import { Leases, type Lease } from '../cluster/leases.ts';
import { refuseOpenEditor } from '../cluster/open-editor.ts';
import type { RedSettings } from '../red.ts';
import { AttachedNode } from './attached-node.ts';

const leases = new Leases<AttachedNode>();

/** The connection to the daemon with this socket: the one that there is already, or a new one, once the daemon was found or not. */
export function leaseDaemon(socket: string, settings: RedSettings, log: (line: string) => void): Lease<AttachedNode> {
  return leases.lease({
    key: socket,
    settings: '',
    start: () => attach(socket, settings, log),
    taken: () => new InputError('nodeTwice', `${socket} is attached to already`),
  });
}

/** Ends all connections to daemons, used or not. Never rejects. */
export function closeAllDaemons(): Promise<void> {
  return leases.closeAll();
}

async function attach(socket: string, settings: RedSettings, log: (line: string) => void): Promise<AttachedNode> {
  const attachment = new Attachment(socket);
  const node = new AttachedNode(attachment, (one) => refuseOpenEditor(one, settings));
  const tell = () => log(node.away ?? `attached to ${node.name} of cluster ${node.cluster} at ${socket}`);
  await attachment.tried;
  tell();
  node.onPresence(tell);
  return node;
}
