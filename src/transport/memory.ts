/** Nodes in one process, connected by memory: the same delivery as over MQTT, without sockets. For tests and simulations. */

import type { WireChannel } from '../protocol/topics.ts';
import { Board } from './board.ts';
import type { Posted } from './board.ts';
import { Delivery } from './delivery.ts';
import { FaultWire } from './faults.ts';
import type { Faults } from './faults.ts';
import { LOST_MS, Presence } from './presence.ts';
import type { SessionTiming } from './session.ts';
import type { Bulletin, PeerEvent, Transport } from './transport.ts';
import type { Route, Wire, WireListener, Written } from './wire.ts';

/** Time after which a cut connection comes back, in ms. */
const RECONNECT_MS = 5;

/** One node of a memory network. */
export interface MemoryNode {
  readonly transport: Transport;
  readonly bulletin: Bulletin;
  /** Takes the node away: the others report it down, then lost. */
  close(): void;
}

/** How a memory network behaves. */
export interface MemoryNetworkOptions {
  /** What goes wrong on every wire; each node draws from its own sequence. */
  readonly faults?: Faults;
  readonly timing?: Partial<SessionTiming>;
  /** From the loss of connections to `lost`, in ms. */
  readonly lostMs?: number;
}

/**
 * Connects nodes with each other; all of them are up at once.
 * @param names of the nodes
 */
export function createMemoryNetwork(
  names: readonly string[],
  options: MemoryNetworkOptions = {},
): Map<string, MemoryNode> {
  const wires = new Map(names.map((name) => [name, new MemoryWire(name)]));
  const boards = new Map<string, Board>();
  for (const [name, wire] of wires) {
    boards.set(name, new Board(name, (posted) => spread(name, posted, wires, boards)));
    for (const peer of wires.values()) if (peer !== wire) wire.join(peer, options.lostMs ?? LOST_MS);
  }
  const nodes = [...wires].map(([name, wire], i): [string, MemoryNode] => {
    const faults = options.faults && { ...options.faults, seed: options.faults.seed + i };
    const delivery = new Delivery(faults ? new FaultWire(wire, faults) : wire, options.timing);
    const close = () => {
      delivery.close();
      wire.close();
    };
    return [name, { transport: delivery, bulletin: boards.get(name)!, close }];
  });
  return new Map(nodes);
}

/** A document reaches every peer that is connected, later. */
function spread(from: string, posted: Posted, wires: Map<string, MemoryWire>, boards: Map<string, Board>): void {
  for (const [name, board] of boards) {
    if (name === from || !wires.get(from)?.isUp(name)) continue;
    setImmediate(() => board.receive(posted.topic, posted.json, { from, retain: posted.retain }));
  }
}

interface Flight {
  readonly to: MemoryWire;
  readonly route: Route;
  readonly bytes: Uint8Array;
  readonly written: Written;
}

/** {@link Wire} whose frames take one turn of the event loop; their bytes are read only then, as a socket would. */
class MemoryWire implements Wire {
  readonly self: string;
  readonly #peers = new Map<string, { readonly wire: MemoryWire; readonly presence: Presence }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #listener: WireListener | undefined;
  #flights: Flight[] = [];
  #closed = false;

  constructor(self: string) {
    this.self = self;
  }

  join(wire: MemoryWire, lostMs: number): void {
    const emit = (event: PeerEvent) => this.#listener?.peer(event);
    const presence = new Presence(wire.self, emit, lostMs);
    this.#peers.set(wire.self, { wire, presence });
    presence.connection('data', true, '');
    presence.connection('control', true, '');
    presence.seen('first');
  }

  attach(listener: WireListener): void {
    this.#listener = listener;
  }

  isUp(peer: string): boolean {
    return !this.#closed && (this.#peers.get(peer)?.presence.up ?? false);
  }

  send(to: Route, bytes: Uint8Array, written: Written): void {
    const wire = this.#peers.get(to.peer)?.wire;
    if (!wire || !this.isUp(to.peer)) {
      setImmediate(written, new Error(`no connection to ${to.peer}`));
      return;
    }
    this.#flights.push({ to: wire, route: { peer: this.self, job: to.job, channel: to.channel }, bytes, written });
    if (this.#flights.length === 1) setImmediate(() => this.#land());
  }

  reset(peer: string): void {
    this.#peers.get(peer)?.wire.cut(this.self);
  }

  /** The data connection to a peer breaks, with what was on it, and comes back soon. */
  cut(peer: string): void {
    const known = this.#peers.get(peer);
    if (!known || this.#closed) return;
    const lost = this.#flights.filter((flight) => flight.to === known.wire && isData(flight.route.channel));
    this.#flights = this.#flights.filter((flight) => !lost.includes(flight));
    for (const flight of lost) setImmediate(flight.written, new Error('connection cut'));
    known.presence.connection('data', false, 'connection cut');
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!known.wire.#closed) known.presence.connection('data', true, '');
    }, RECONNECT_MS);
    this.#timers.add(timer);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { wire, presence } of this.#peers.values()) {
      presence.close();
      const there = wire.#closed ? undefined : wire.#peers.get(this.self)?.presence;
      there?.connection('data', false, 'closed');
      there?.connection('control', false, 'closed');
    }
  }

  #land(): void {
    const flights = this.#flights;
    this.#flights = [];
    for (const { to, route, bytes, written } of flights) {
      if (!to.#closed) to.#listener?.frame(route, bytes.slice());
      written();
    }
  }
}

function isData(channel: WireChannel): boolean {
  return channel !== 'ack';
}
