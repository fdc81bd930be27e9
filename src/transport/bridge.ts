/** Bridge: this node's two connections to one peer's broker. It carries what is addressed to the peer and what this node itself posts, nothing else. */

import { PROTOCOL_VERSION } from '../protocol/version.ts';
import type { NodeInfo } from '../protocol/documents.ts';
import { bridgeClientId } from './authorize.ts';
import type { Posted } from './board.ts';
import { Link } from './link.ts';
import { Outbox } from './outbox.ts';
import { Presence } from './presence.ts';
import type { PeerEvent } from './transport.ts';
import type { Written } from './wire.ts';

/** Time for goodbyes, in ms. */
const GRACE_MS = 300;

/** A peer as it is configured. */
export interface PeerAddress {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** What bridges of a node share. */
export interface BridgeOptions {
  readonly self: string;
  readonly lostMs: number;
  /** Published by the peer's broker when the control connection breaks. */
  readonly will: Posted;
  /** This node's own retained documents, as they are now. */
  own(): Iterable<Posted>;
  peer(event: PeerEvent): void;
}

/** The way to one peer. */
export class Bridge {
  readonly name: string;
  readonly #place: string;
  readonly #presence: Presence;
  readonly #data: Link;
  readonly #control: Link;
  readonly #outbox: Outbox;
  #foreign = '';

  constructor(address: PeerAddress, options: BridgeOptions) {
    this.name = address.name;
    this.#place = `${address.host}:${address.port}`;
    const emit = (event: PeerEvent) => {
      if (event.kind === 'lost') this.#outbox.clear();
      options.peer(event);
    };
    this.#presence = new Presence(address.name, emit, options.lostMs);
    const link = (channel: 'data' | 'control', opened: () => void, closed: () => void) =>
      new Link({
        clientId: bridgeClientId(options.self, channel),
        host: address.host,
        port: address.port,
        ...(channel === 'control' && { will: options.will }),
        opened: () => {
          opened();
          this.#presence.connection(channel, true, '');
        },
        closed: (reason) => {
          closed();
          this.#presence.connection(channel, false, reason);
        },
      });
    this.#data = link(
      'data',
      () => {},
      () => {},
    );
    this.#control = link(
      'control',
      () => this.#outbox.opened(options.own()),
      () => this.#outbox.closed(),
    );
    this.#outbox = new Outbox((posted, done) => this.#control.publishDocument(posted, done));
  }

  get up(): boolean {
    return this.#presence.up;
  }

  /** What is missing before the peer is up. */
  get missing(): string {
    if (this.#foreign) return this.#foreign;
    if (this.#presence.connected) return 'connected to it, but it has not connected to this node: does it know it?';
    return `no connection to ${this.#place}: ${this.#data.reason}`;
  }

  /** The peer said who it is. */
  info(info: NodeInfo): void {
    const matches = info.protocol === PROTOCOL_VERSION;
    this.#foreign = matches
      ? ''
      : `it speaks protocol ${info.protocol} (version ${info.version}), this node ${PROTOCOL_VERSION}: run the same version on both`;
    this.#presence.seen(matches ? info.instance : undefined);
  }

  post(posted: Posted): void {
    this.#outbox.put(posted);
  }

  /** Sends one frame: acknowledgements on the control connection, tensors on the data connection. */
  send(channel: 'data' | 'control', topic: Uint8Array, bytes: Uint8Array, written: Written): void {
    (channel === 'data' ? this.#data : this.#control).publishFrame(topic, bytes, written);
  }

  /** Lets the last documents through, then closes both connections. */
  async close(): Promise<void> {
    this.#presence.close();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, GRACE_MS);
    await Promise.race([this.#outbox.drained(), promise]);
    clearTimeout(timer);
    await Promise.all([this.#data.close(GRACE_MS), this.#control.close(GRACE_MS)]);
  }
}
