/** Nodes as daemons on this machine: `mqtile node --config` on ports that were free a moment ago. */

import { createServer, type AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { startCommand, type Command } from './command.ts';

/** Ports that nobody listens on. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface Daemon {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  /** Its configuration file. */
  readonly config: string;
  command: Command;
  /** Starts it again. */
  again(): Promise<void>;
}

/** Writes the file of a node, without a socket: tests that run at the same time use the same names. @returns its path */
export async function writeNodeConfig(
  directory: string,
  { name, port, ...more }: { name: string; port: number } & Record<string, unknown>,
): Promise<string> {
  const path = join(directory, `${name}.yaml`);
  await writeFile(path, stringify({ name, cluster: 'test', listen: `127.0.0.1:${port}`, socket: 'none', ...more }));
  return path;
}

/**
 * Starts pi1 to piN, each with the peers that `peersOf` gives it: all others unless said.
 * @param directory where their files go
 */
export async function startDaemons(
  t: ExecutionContext,
  directory: string,
  count: number,
  peersOf: (name: string, names: readonly string[]) => readonly string[] = (name, names) =>
    names.filter((other) => other !== name),
): Promise<readonly Daemon[]> {
  const ports = await freePorts(count);
  const names = ports.map((_, k) => `pi${k + 1}`);
  return Promise.all(
    ports.map(async (port, k) => {
      const name = names[k]!;
      const peers = peersOf(name, names).map((peer) => ({
        name: peer,
        address: `127.0.0.1:${ports[names.indexOf(peer)]}`,
      }));
      const config = await writeNodeConfig(directory, { name, port, peers });
      const daemon: Daemon = {
        name,
        port,
        url: `mqtt://127.0.0.1:${port}`,
        config,
        command: await listening(t, config),
        again: async () => void (daemon.command = await listening(t, config)),
      };
      return daemon;
    }),
  );
}

/** Starts a daemon and waits until its broker listens. */
async function listening(t: ExecutionContext, config: string): Promise<Command> {
  const command = startCommand(t, ['node', '--config', config]);
  await command.until(({ stderr }) => (stderr.includes(' listens on ') ? true : undefined), 'it listened');
  return command;
}
