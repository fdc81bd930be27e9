/** Settings of an mqtile-node that is attached to a daemon, as its dialog stores them. */

import { isAbsolute } from 'node:path';
import { InputError } from 'mqtile';

/** Fields of the edit dialog. */
export interface AttachedFields {
  readonly mode: 'attached';
  /** Path of the daemon's socket. */
  readonly socket: string;
}

/** @throws {InputError} `keyInvalid` */
export function socketOf({ socket }: AttachedFields): string {
  const path = socket.trim();
  if (isAbsolute(path)) return path;
  const got = path === '' ? 'is empty' : `got ${JSON.stringify(path)}`;
  throw new InputError('keyInvalid', `Socket: ${got}, want the absolute path that mqtile node prints at its start`);
}
