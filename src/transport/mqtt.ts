/** The real transport: a broker inside the node, bridges to the peers' brokers, delivery on top, documents beside it. */

import { parseNodeInfo } from '../protocol/documents.ts';
import type { NodeInfo } from '../protocol/documents.ts';
import { isName, nodeInfoTopic, nodeStateTopic, parseTopic, tensorTopic } from '../protocol/topics.ts';
import { InputError, TransportError } from '../errors.ts';
import { bridgeClientId } from './authorize.ts';
import { Board } from './board.ts';
import type { Posted } from './board.ts';
import { Bridge } from './bridge.ts';
import type { PeerAddress } from './bridge.ts';
import { startBroker } from './broker.ts';
import type { Broker } from './broker.ts';
import { Delivery } from './delivery.ts';
import { LOST_MS } from './presence.ts';
import type { SessionTiming } from './session.ts';
import type { Bulletin, PeerEvent, Transport } from './transport.ts';
import type { Route, Wire, WireListener, Written } from './wire.ts';

export type { PeerAddress } from './bridge.ts';

/** Topics whose routes are remembered, so that frames need not be parsed for them. */
const REMEMBERED_ROUTES = 4096;

/** A node, to its transport. */
export interface MqttTransportOptions {
  readonly cluster: string;
  readonly name: string;
  /** Published as this node's `info`; its `instance` must be new at every start. */
  readonly info: NodeInfo;
  /** Where the broker listens; port 0 takes any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Path of a Unix socket for local clients besides. */
  readonly socket?: string;
  readonly timing?: Partial<SessionTiming>;
  /** From the loss of both connections to `lost`, in ms. */
  readonly lostMs?: number;
  /** Puts something between delivery and connections, e.g. faults. */
  readonly wrap?: (wire: Wire) => Wire;
}

/** A transport that listens, and may be connected to peers. */
export interface MqttTransport extends AsyncDisposable {
  readonly transport: Transport;
  readonly bulletin: Bulletin;
  /** The port that the broker listens on. */
  readonly port: number;
  /** Opens bridges to peers; from then on their bridges may connect here. Peers that are known already stay as they are. */
  connect(peers: readonly PeerAddress[]): void;
  /** Names of the peers that are up. */
  peersUp(): readonly string[];
  /** For each peer that is not up: what is missing. */
  peersMissing(): ReadonlyMap<string, string>;
  /** Says `offline` to the peers and closes everything, within a second. */
  close(): Promise<void>;
}

/**
 * Starts a node's broker.
 * @throws InputError badName, portInUse, socketInUse, cannotListen
 */
export async function createMqttTransport(options: MqttTransportOptions): Promise<MqttTransport> {
  for (const [what, name] of [
    ['cluster', options.cluster],
    ['name', options.name],
  ] as const) {
    if (isName(name)) continue;
    throw new InputError(
      'badName',
      `${what}: got ${JSON.stringify(name)}, want lower-case letters, digits and hyphens, at most 32`,
    );
  }
  const node = new MqttNode(options);
  await node.start();
  return node;
}

class MqttNode implements MqttTransport {
  readonly transport: Transport;
  readonly bulletin: Bulletin;
  readonly #options: MqttTransportOptions;
  readonly #board: Board;
  readonly #wire: MqttWire;
  readonly #delivery: Delivery;
  readonly #bridges = new Map<string, Bridge>();
  readonly #peers = new Set<string>();
  readonly #infos = new Map<string, NodeInfo>();
  #broker: Broker | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MqttTransportOptions) {
    this.#options = options;
    this.#board = new Board(options.name, (posted) => this.#publish(posted));
    this.#wire = new MqttWire(options, this.#bridges, (peer) => this.#broker?.drop(bridgeClientId(peer, 'data')));
    this.#delivery = new Delivery(options.wrap?.(this.#wire) ?? this.#wire, options.timing);
    this.transport = this.#delivery;
    this.bulletin = this.#board;
  }

  async start(): Promise<void> {
    const { cluster, name, listen, socket, info } = this.#options;
    this.#broker = await startBroker({
      cluster,
      self: name,
      ...listen,
      ...(socket === undefined ? {} : { socket }),
      peers: this.#peers,
      tensor: (topic, bytes) => this.#wire.receive(topic, bytes),
      document: (posted, from) => this.#document(posted, from),
    });
    this.#board.post(nodeStateTopic(cluster, name), { state: 'online' }, { retain: true });
    this.#board.post(nodeInfoTopic(cluster, name), info, { retain: true });
  }

  get port(): number {
    return this.#broker?.port ?? 0;
  }

  connect(peers: readonly PeerAddress[]): void {
    const { cluster, name, lostMs = LOST_MS } = this.#options;
    const will = { topic: nodeStateTopic(cluster, name), json: Buffer.from('{"state":"offline"}'), retain: true };
    for (const address of peers) {
      if (this.#bridges.has(address.name) || address.name === name || this.#closing) continue;
      this.#peers.add(address.name);
      const peer = (event: PeerEvent) => this.#wire.peer(event);
      const bridge = new Bridge(address, { self: name, lostMs, will, own: () => this.#board.own(), peer });
      this.#bridges.set(address.name, bridge);
      const info = this.#infos.get(address.name);
      if (info) bridge.info(info);
    }
  }

  peersUp(): readonly string[] {
    return [...this.#bridges.values()].filter((bridge) => bridge.up).map((bridge) => bridge.name);
  }

  peersMissing(): ReadonlyMap<string, string> {
    const down = [...this.#bridges.values()].filter((bridge) => !bridge.up);
    return new Map(down.map((bridge) => [bridge.name, bridge.missing]));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#delivery.close();
    this.#board.post(nodeStateTopic(this.#options.cluster, this.#options.name), { state: 'offline' }, { retain: true });
    await Promise.all([...this.#bridges.values()].map((bridge) => bridge.close()));
    await this.#broker?.close();
  }

  #publish(posted: Posted): void {
    const { cluster } = this.#options;
    if (parseTopic(posted.topic)?.cluster !== cluster) {
      throw new TransportError('notAllowed', `${posted.topic} does not belong to cluster ${cluster}`);
    }
    this.#broker?.publish(posted);
    for (const bridge of this.#bridges.values()) bridge.post(posted);
  }

  #document({ topic, json, retain }: Posted, from: string | undefined): void {
    this.#board.receive(topic, json, { from, retain });
    const parsed = from === undefined ? undefined : parseTopic(topic);
    if (from === undefined || parsed?.kind !== 'nodeInfo') return;
    const info = parseNodeInfo(parseJson(json));
    if (!info) return;
    this.#infos.set(from, info);
    this.#bridges.get(from)?.info(info);
  }
}

/** {@link Wire} over the bridges of a node and its own broker. */
class MqttWire implements Wire {
  readonly self: string;
  readonly #cluster: string;
  readonly #bridges: ReadonlyMap<string, Bridge>;
  readonly #topics = new WeakMap<Route, Uint8Array>();
  readonly #routes = new Map<string, Route>();
  readonly #drop: (peer: string) => void;
  #listener: WireListener | undefined;

  constructor(options: MqttTransportOptions, bridges: ReadonlyMap<string, Bridge>, drop: (peer: string) => void) {
    this.self = options.name;
    this.#cluster = options.cluster;
    this.#bridges = bridges;
    this.#drop = drop;
  }

  attach(listener: WireListener): void {
    this.#listener = listener;
  }

  isUp(peer: string): boolean {
    return this.#bridges.get(peer)?.up ?? false;
  }

  send(to: Route, bytes: Uint8Array, written: Written): void {
    const bridge = this.#bridges.get(to.peer);
    if (!bridge) {
      setImmediate(written, new Error(`no connection to ${to.peer}`));
      return;
    }
    bridge.send(to.channel === 'ack' ? 'control' : 'data', this.#topic(to), bytes, written);
  }

  reset(peer: string): void {
    this.#drop(peer);
  }

  peer(event: PeerEvent): void {
    this.#listener?.peer(event);
  }

  /** A frame arrived at this node's broker, from whom its topic says: that was checked before. */
  receive(topic: string, bytes: Uint8Array): void {
    let route = this.#routes.get(topic);
    if (!route) {
      const parsed = parseTopic(topic);
      if (parsed?.kind !== 'tensor') return;
      route = { peer: parsed.from, job: parsed.job, channel: parsed.channel };
      if (this.#routes.size >= REMEMBERED_ROUTES) this.#routes.clear();
      this.#routes.set(topic, route);
    }
    this.#listener?.frame(route, bytes);
  }

  #topic(to: Route): Uint8Array {
    let topic = this.#topics.get(to);
    if (!topic) {
      const address = { job: to.job, to: to.peer, from: this.self, channel: to.channel };
      topic = Buffer.from(tensorTopic(this.#cluster, address));
      this.#topics.set(to, topic);
    }
    return topic;
  }
}

function parseJson(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString());
  } catch {
    return undefined;
  }
}
