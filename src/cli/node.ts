/** mqtile node: the daemon on a Pi. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  InputError,
  daemonSocket,
  isLoopback,
  kernelRates,
  parseNodeConfig,
  restartSmall,
  socketPlace,
  startNode,
  type Node,
  type NodeConfig,
} from '../index.ts';
import { parseArguments, type Command } from './command.ts';
import { paint } from './format.ts';

const HELP = `Usage: mqtile node --config node.yaml

Runs this computer's node: an MQTT broker, bridges to the peers' brokers, and the kernels that train. It waits for jobs until
it is stopped with Ctrl-C or SIGTERM.

  --config FILE   who this node is:

                    name: pi1                    # lower-case letters, digits, hyphens
                    cluster: home                # default: home
                    listen: 127.0.0.1:1883       # default; other machines cannot reach loopback
                    socket: /run/mqtile/pi1.sock # for programs of this user on this computer, e.g. Node-RED; none switches
                                                 # it off; default: CLUSTER-NAME.sock in $XDG_RUNTIME_DIR/mqtile, else
                                                 # in /run/mqtile, else in a folder for temporary files
                    peers:
                      - {name: pi2, address: 127.0.0.1:1884}
                    threads: 4                   # for kernels; default: one a core
                    insecure: false              # true allows addresses that others can reach, without encryption or passwords

Example: mqtile node --config pi1.yaml
`;

export const nodeCommand: Command = {
  name: 'node',
  summary: 'run this computer as a node of a cluster',
  help: HELP,
  run,
};

async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArguments(args, { config: { type: 'string' } }, 0);
  if (values.config === undefined)
    throw new InputError('arguments', '--config: is missing, want the file of this node; see mqtile node --help');
  restartSmall();
  const config = parseNodeConfig(await readText(values.config), values.config);
  if (config.insecure && [config.listen, ...config.peers].some(({ host }) => !isLoopback(host))) {
    const warning =
      'insecure: anybody on the network can read this cluster’s pixels and start jobs on it; certificates are still to come';
    process.stderr.write(`${paint('yellow', `warning: ${basename(values.config)}: ${warning}`, process.stderr)}\n`);
  }
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const log = (line: string) => process.stderr.write(`${time()} ${line}\n`);
  const node = await start(values.config, config, log);
  const socket = node.socket === undefined ? '' : ` and ${node.socket}`;
  process.stderr.write(
    `${time()} ${node.name} of cluster ${config.cluster} listens on ${config.listen.host}:${node.port}${socket}\n`,
  );
  await stopped;
  process.stderr.write(`${time()} stopping\n`);
  await node.close();
  return 0;
}

/** Starts the node of a file, with the socket that a daemon has where the file says nothing. @throws {InputError} of `startNode`, naming file and key */
async function start(file: string, config: NodeConfig, log: (line: string) => void): Promise<Node> {
  const socket = daemonSocket(config, await socketPlace()) ?? null;
  try {
    return await startNode({ ...config, socket }, { log, rates: await kernelRates() });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const key = socket !== null && error.message.includes(socket) ? 'socket' : 'listen';
    throw new InputError(error.code, `${file}: ${key}: ${error.message}`, { cause: error });
  }
}

/** @throws {InputError} `fileMissing` */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new InputError('fileMissing', `${path}: ${gone ? 'does not exist' : 'cannot be read'}`, { cause });
  }
}

function time(): string {
  return new Date().toTimeString().slice(0, 8);
}
