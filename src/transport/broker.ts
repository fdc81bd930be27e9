/** The broker inside a node: Aedes behind a byte limit, with an allow-list, on listeners of its own. The node itself publishes and listens in process. */

import type { EventEmitter } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Aedes } from 'aedes';
import type { AedesOptions, AedesPublishPacket, Client } from 'aedes';
import { InputError, TransportError } from '../errors.ts';
import { ROOT, TENSOR_ROOT } from '../protocol/topics.ts';
import { mayPublish, mayReceive, maySubscribe, packetLimitBytes, roleOf, STRANGER_BYTES } from './authorize.ts';
import type { Place, Role } from './authorize.ts';
import type { Posted } from './board.ts';
import { guardPackets } from './guard.ts';
import { listenOnSocket } from './local-socket.ts';

/** Bytes waiting for a subscriber from which it gets nothing more until it has read them. */
const FORWARD_BYTES = 1024 * 1024;

/** Retained bytes that peers may leave here; beyond, their documents are delivered but not kept. */
const RETAINED_BYTES = 32 * 1024 * 1024;

/** Connections at the same time: two a peer, and some local clients. */
const CONNECTIONS = 256;

/** Who comes by the Unix socket is no peer, whatever it calls itself. */
const NO_PEERS: ReadonlySet<string> = new Set();

/** What a broker needs to know, and whom it tells what arrives. Handlers return at once. */
export interface BrokerOptions extends Place {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Path of a Unix socket for local clients besides; none where it is missing. */
  readonly socket?: string;
  /** Names of the nodes whose bridges may connect; may grow. */
  readonly peers: ReadonlySet<string>;
  /** A frame of a peer; bytes are valid only during the call. */
  tensor(topic: string, bytes: Uint8Array): void;
  /** A document of a peer, or of a local client (`from` undefined). */
  document(posted: Posted, from: string | undefined): void;
}

/** A running broker. */
export interface Broker {
  /** The port that it listens on. */
  readonly port: number;
  /** Publishes a document of this node to local subscribers. */
  publish(posted: Posted): void;
  /** Closes the connection of a client, if there is one. */
  drop(clientId: string): void;
  close(): Promise<void>;
}

/**
 * Starts a broker.
 * @throws InputError portInUse, socketInUse, cannotListen
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const clients: KnownClients = { roles: new WeakMap(), bySocket: new WeakSet() };
  const aedes = await Aedes.createBroker(hooks(options, clients));
  const emitter: EventEmitter = aedes;
  emitter.on('error', () => {}); // of its bookkeeping; without a listener it would end the process
  listenInProcess(aedes, options);
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): Client => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const client = aedes.handle(socket);
    Object.assign(client, { duplicates: forgetful(aedes) });
    guardPackets(socket, () => {
      const role = clients.roles.get(client);
      return role ? packetLimitBytes(role) : STRANGER_BYTES;
    });
    return client;
  };
  const servers: Server[] = [];
  const closeAll = () => close(aedes, servers, sockets);
  // A high-water mark above FORWARD_BYTES: no write then waits for `drain`, which would stall the other subscribers.
  const highWaterMark = 2 * FORWARD_BYTES;
  try {
    servers.push(await listen(createServer({ noDelay: true, highWaterMark }, accept), options));
    if (options.socket !== undefined) {
      servers.push(
        await listenOnSocket(options.socket, highWaterMark, (socket) => clients.bySocket.add(accept(socket))),
      );
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
  for (const server of servers) server.maxConnections = CONNECTIONS;
  return {
    port: (servers[0]!.address() as AddressInfo).port,
    publish: ({ topic, json, retain }) =>
      aedes.publish({ cmd: 'publish', topic, payload: json, qos: 1, retain, dup: false }, () => {}),
    drop: (clientId) => clientsOf(aedes)[clientId]?.conn.destroy(),
    close: closeAll,
  };
}

/**
 * Aedes drops what has a lower number than something that a client got before, as a copy for an overlapping filter. It also stores a retained packet
 * before it sends it, so one that is published right after overtakes it, and it was never sent. Copies are allowed [MQTT-3.3.5-1]; losses are not.
 */
function forgetful({ id }: Aedes): object {
  return Object.defineProperty({}, id, { get: () => 0, set: () => {} });
}

/** What is known of the clients that are connected. */
interface KnownClients {
  readonly roles: WeakMap<Client, Role>;
  /** Those who came by the Unix socket. */
  readonly bySocket: WeakSet<Client>;
}

/** What Aedes asks before it lets something through. */
function hooks(options: BrokerOptions, { roles, bySocket }: KnownClients): AedesOptions {
  const retained = new RetainedBound();
  return {
    connectTimeout: 5000,
    maxInflightInbound: 16,
    preConnect: (_client, packet, done) => {
      packet.clean = true; // no session outlives its connection, so nothing queues for absent clients
      done(null, true);
    },
    authenticate: (client, _username, _password, done) => {
      const role = roleOf(client.id, bySocket.has(client) ? NO_PEERS : options.peers);
      if (role) roles.set(client, role);
      done(null, role !== undefined);
    },
    authorizePublish: (client, packet, done) => {
      const role = client && roles.get(client);
      if (!role || !mayPublish(role, packet.topic, packet, options)) {
        return done(new TransportError('notAllowed', `${client?.id} may not publish ${packet.topic}`));
      }
      if (packet.retain && !retained.admit(packet.topic, packet.payload.length)) packet.retain = false;
      done();
    },
    authorizeSubscribe: (client, subscription, done) => {
      const role = roles.get(client);
      done(null, role && maySubscribe(role, subscription.topic) ? subscription : null);
    },
    authorizeForward: (client, packet) => {
      const role = roles.get(client);
      if (!role || !mayReceive(role, packet.topic)) return null;
      return client.conn.writableLength > FORWARD_BYTES ? null : packet;
    },
  };
}

/** Hands what clients publish to the node itself, without a socket. What the node published is not told back. */
function listenInProcess(aedes: Aedes, options: BrokerOptions): void {
  // By id, not by client: a last will arrives when its client is gone already.
  const roleOfSender = (packet: AedesPublishPacket): Role | undefined =>
    'clientId' in packet ? roleOf(String(packet.clientId), options.peers) : undefined;
  aedes.subscribe(
    `${TENSOR_ROOT}/#`,
    (packet, done) => {
      options.tensor(packet.topic, packet.payload as Buffer);
      done();
    },
    () => {},
  );
  aedes.subscribe(
    `${ROOT}/#`,
    (packet, done) => {
      const role = roleOfSender(packet);
      const { topic, retain } = packet;
      const posted = { topic, retain, json: packet.payload as Buffer };
      if (role) options.document(posted, role.kind === 'bridge' ? role.peer : undefined);
      done();
    },
    () => {},
  );
}

/** Keeps count of what peers leave retained. */
class RetainedBound {
  readonly #bytes = new Map<string, number>();
  #total = 0;

  admit(topic: string, bytes: number): boolean {
    const total = this.#total - (this.#bytes.get(topic) ?? 0) + bytes;
    if (total > RETAINED_BYTES) return false;
    this.#total = total;
    if (bytes > 0) this.#bytes.set(topic, bytes);
    else this.#bytes.delete(topic);
    return true;
  }
}

/** Clients by id: a public property of the broker that its types leave out. */
function clientsOf(aedes: Aedes): Record<string, Client | undefined> {
  return (aedes as unknown as { clients: Record<string, Client | undefined> }).clients;
}

async function listen(server: Server, { host, port }: BrokerOptions): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Stays for the server's life: a later error, such as too many open files, must not end the process.
  server.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE') {
      return reject(new InputError('cannotListen', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
    }
    const text = `port ${port} on ${host} is in use: give the node another port, or stop what listens there`;
    reject(new InputError('portInUse', text, { cause }));
  });
  server.listen({ host, port, exclusive: true }, resolve);
  await promise;
  return server;
}

async function close(aedes: Aedes, servers: readonly Server[], sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
  aedes.close();
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}
