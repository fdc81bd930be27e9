/** Where `mqtile node` listens for programs of this computer when its file does not say. */

import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfig } from './node-config.ts';

/** Folders of the machine, and who asks. */
export interface SocketPlace {
  /** `$XDG_RUNTIME_DIR`: a folder of the user's own that ends with the session. */
  readonly session: string | undefined;
  /** `/run` where this process may write to it. */
  readonly system: string | undefined;
  readonly temporary: string;
  readonly user: number;
}

/** Path of the daemon's socket: `<folder>/<cluster>-<name>.sock`; undefined where the file says `socket: none`. */
export function daemonSocket(
  { cluster, name, socket }: Pick<NodeConfig, 'cluster' | 'name' | 'socket'>,
  { session, system, temporary, user }: SocketPlace,
): string | undefined {
  if (socket !== undefined) return socket ?? undefined;
  const runtime = session ?? system;
  const folder = runtime === undefined ? join(temporary, `mqtile-${user}`) : join(runtime, 'mqtile');
  return join(folder, `${cluster}-${name}.sock`);
}

/** The place of this process. */
export async function socketPlace(): Promise<SocketPlace> {
  const session = process.env['XDG_RUNTIME_DIR'];
  const writable = await access('/run', constants.W_OK).then(
    () => true,
    () => false,
  );
  return {
    session: session === undefined || session === '' ? undefined : session,
    system: writable ? '/run' : undefined,
    temporary: tmpdir(),
    user: process.getuid?.() ?? 0,
  };
}
