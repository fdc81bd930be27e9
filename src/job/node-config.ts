/** The file of `mqtile node --config`: who this node is, where it listens and which peers it bridges to. */

import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import { InputError } from '../errors.ts';
import { list, naming, object, parseFile, text, topicName, whole, type Schema } from './schema.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface PeerAddress extends Address {
  readonly name: string;
}

export interface NodeConfig {
  readonly name: string;
  readonly cluster: string;
  /** Port 0 takes any free one. */
  readonly listen: Address;
  /** Absolute path of a Unix socket on which the broker serves programs of this computer; null: none is wanted. */
  readonly socket?: string | null;
  readonly peers: readonly PeerAddress[];
  /** Kernel threads; as many as there are cores by default. */
  readonly threads?: number;
  /** Whether traffic may leave this machine in the clear. */
  readonly insecure: boolean;
}

const ADDRESS_WANT = 'host:port, e.g. 127.0.0.1:1883';

const address: Schema<Address> = v.pipe(
  text(ADDRESS_WANT, /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/),
  v.transform(toAddress),
  v.check(({ port }) => port <= 65_535, ADDRESS_WANT),
);

const SOCKET_WANT = 'an absolute path, or none';

const socket: Schema<string | null> = v.pipe(
  v.string(SOCKET_WANT),
  v.check((path) => path === 'none' || isAbsolute(path), SOCKET_WANT),
  v.transform((path) => (path === 'none' ? null : path)),
);

const peer = object({
  name: topicName(),
  address: v.pipe(
    address,
    v.check(({ port }) => port > 0, ADDRESS_WANT),
  ),
});

const nodeFile = object({
  name: topicName(),
  cluster: v.optional(topicName(), 'home'),
  listen: v.optional(address, '127.0.0.1:1883'),
  socket: v.optional(socket),
  peers: v.optional(list(peer, 'a list of peers, e.g. [{name: pi2, address: 127.0.0.1:1884}]'), []),
  threads: v.optional(whole(1, 256)),
  insecure: v.optional(v.boolean('true or false'), false),
});

/**
 * @param source the file's name in messages
 * @throws {InputError} `yamlInvalid`, `keyInvalid`, `insecureAddress`
 */
export function parseNodeConfig(content: string, source: string): NodeConfig {
  const { name, cluster, listen, socket, peers, threads, insecure } = parseFile(content, source, nodeFile);
  const config: NodeConfig = {
    name,
    cluster,
    listen,
    ...(socket === undefined ? {} : { socket }),
    peers: peers.map((one) => ({ name: one.name, ...one.address })),
    ...(threads === undefined ? {} : { threads }),
    insecure,
  };
  naming(source, () => {
    checkNames(config);
    checkLoopback(config);
  });
  return config;
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function checkNames({ name, peers }: NodeConfig): void {
  peers.forEach((one, index) => {
    if (one.name === name) {
      throw new InputError(
        'keyInvalid',
        `peers[${index}].name: got ${name}, which is this node; want the other nodes only`,
      );
    }
    const first = peers.findIndex((other) => other.name === one.name);
    if (first !== index) {
      throw new InputError(
        'keyInvalid',
        `peers[${index}].name: got ${one.name}, which peers[${first}] is called already`,
      );
    }
  });
}

/** A peer elsewhere would get tensors in the clear just as a listener elsewhere would. */
function checkLoopback({ listen, peers, insecure }: NodeConfig): void {
  const named = [['listen', listen] as const, ...peers.map((one, k) => [`peers[${k}].address`, one] as const)];
  const open = named.find(([, { host }]) => !isLoopback(host));
  if (open !== undefined && !insecure) {
    throw new InputError(
      'insecureAddress',
      `${open[0]}: got ${open[1].host}, which is not this machine, and connections are not encrypted yet; want 127.0.0.1, or insecure: true on a network that you trust`,
    );
  }
}

function toAddress(given: string): Address {
  const colon = given.lastIndexOf(':');
  const host = given.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(given.slice(colon + 1)) };
}
