/** The documents that a node knows, its own and its peers', and who listens to them. The {@link Bulletin} of both transports. */

import { TransportError } from '../errors.ts';
import { matches, parseTopic } from '../protocol/topics.ts';
import { mayPublish } from './authorize.ts';
import type { Bulletin } from './transport.ts';

/** Retained documents are kept up to this many bytes; beyond, new topics are delivered but not kept. */
const RETAINED_BYTES = 32 * 1024 * 1024;

type Listener = (topic: string, document: unknown, from: string | undefined) => void;

interface Entry {
  readonly document: unknown;
  readonly from: string | undefined;
  readonly bytes: number;
}

/** A document on its way: its JSON as bytes; empty bytes remove a retained one. */
export interface Posted {
  readonly topic: string;
  readonly json: Buffer;
  readonly retain: boolean;
}

/** {@link Bulletin} of one node. */
export class Board implements Bulletin {
  readonly #self: string;
  readonly #publish: (posted: Posted) => void;
  readonly #retained = new Map<string, Entry>();
  readonly #listeners = new Set<readonly [filter: string, listener: Listener]>();
  #retainedBytes = 0;

  /** @param publish told of each document that this node posts */
  constructor(self: string, publish: (posted: Posted) => void) {
    this.#self = self;
    this.#publish = publish;
  }

  /** @throws TransportError notAllowed for a topic that the peers' brokers would refuse */
  post(topic: string, document: unknown, options: { readonly retain?: boolean } = {}): void {
    const retain = options.retain ?? false;
    const role = { kind: 'bridge', peer: this.#self, channel: 'control' } as const;
    const place = { cluster: parseTopic(topic)?.cluster ?? '', self: '' };
    if (!mayPublish(role, topic, { qos: 1, retain }, place)) {
      throw new TransportError('notAllowed', `${this.#self} may not post ${retain ? 'and retain ' : ''}${topic}`);
    }
    const json = document === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(document));
    this.#publish({ topic, json, retain });
    this.#take(topic, { document, from: undefined, bytes: json.length }, retain);
  }

  on(filter: string, listener: Listener): () => void {
    const entry = [filter, listener] as const;
    this.#listeners.add(entry);
    for (const [topic, { document, from }] of this.#retained) {
      if (matches(filter, topic)) listener(topic, document, from);
    }
    return () => this.#listeners.delete(entry);
  }

  /** A document of a peer, or of a local client (`from` undefined), arrived. What is not JSON is dropped. */
  receive(topic: string, json: Uint8Array, origin: { from: string | undefined; retain: boolean }): void {
    const document = parse(json);
    if (json.length > 0 && document === undefined) return;
    this.#take(topic, { document, from: origin.from, bytes: json.length }, origin.retain);
  }

  /** This node's own retained documents, as they are now. */
  *own(): Iterable<Posted> {
    for (const [topic, { document, from }] of this.#retained) {
      if (from === undefined) yield { topic, json: Buffer.from(JSON.stringify(document)), retain: true };
    }
  }

  #take(topic: string, entry: Entry, retain: boolean): void {
    if (retain) this.#keep(topic, entry);
    if (entry.document === undefined) return;
    for (const [filter, listener] of this.#listeners) {
      if (matches(filter, topic)) listener(topic, entry.document, entry.from);
    }
  }

  #keep(topic: string, entry: Entry): void {
    this.#retainedBytes -= this.#retained.get(topic)?.bytes ?? 0;
    this.#retained.delete(topic);
    if (entry.document === undefined || this.#retainedBytes + entry.bytes > RETAINED_BYTES) return;
    this.#retained.set(topic, entry);
    this.#retainedBytes += entry.bytes;
  }
}

function parse(json: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString());
  } catch {
    return undefined;
  }
}
