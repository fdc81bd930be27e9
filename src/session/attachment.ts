/** Attachment: a program's lasting connection to the daemon of this computer, over its Unix socket. It comes back by itself when the daemon does. */

import type { MqttClient } from 'mqtt';
import * as v from 'valibot';
import { TransportError } from '../errors.ts';
import { matches, parseTopic } from '../protocol/topics.ts';
import { dial, type Dialled } from './dial.ts';
import { ask, asRecord, submitTo, type Line } from './requests.ts';
import type { AcceptedRun } from './serve.ts';
import type { Submission } from './submission.ts';

/** Time between attempts to connect. */
const RECONNECT_MS = 1000;

const whoResponse = v.object({
  name: v.string(),
  peers: v.array(v.object({ name: v.string(), address: v.string() })),
});

/** Who the daemon is. */
export interface Identity extends v.InferOutput<typeof whoResponse> {
  readonly cluster: string;
}

/** Hears documents. `old`: it was said before this connection was made. */
export type AttachmentListener = (topic: string, document: unknown, old: boolean) => void;

export class Attachment implements AsyncDisposable {
  readonly path: string;
  /** Resolves when the first attempt to reach the daemon has succeeded or failed. */
  readonly tried: Promise<void>;
  readonly #dialled: Dialled;
  readonly #tried = Promise.withResolvers<void>();
  /** Retained documents of the broker, as many as it keeps. */
  readonly #documents = new Map<string, unknown>();
  readonly #listeners = new Set<readonly [filter: string, listener: AttachmentListener]>();
  readonly #watchers = new Set<() => void>();
  #identity: Identity | undefined;
  /** Cluster of this connection, from its first document on: the daemon is asked who it is. */
  #cluster: string | undefined;
  #present = false;
  #silent = '';

  /** @param path of the daemon's socket, absolute */
  constructor(path: string) {
    this.path = path;
    this.tried = this.#tried.promise;
    this.#dialled = dial(`unix:${path}`, RECONNECT_MS);
    const { client } = this.#dialled;
    client.on('connect', () => void client.subscribe('mqtile/#', { qos: 1 }));
    client.on('message', (topic, payload, { retain }) => this.#heard(topic, payload, retain));
    client.on('close', () => this.#closed());
  }

  /** The daemon as it was when it was last there; undefined before. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** Why the daemon cannot be asked now, with the way out; undefined while it can. */
  get away(): string | undefined {
    if (this.#present) return undefined;
    if (this.#silent) return this.#silent;
    const { code, reason } = this.#dialled.failure();
    if (code === 'EACCES') return `${this.path} belongs to another user: run mqtile node as the user of this program`;
    const why = code === 'ENOENT' || code === 'ECONNREFUSED' || code === '' ? '' : ` (${reason})`;
    return `no daemon at ${this.path}${why}: start mqtile node`;
  }

  /** Calls the listener when the daemon comes, before its documents are told, and when it goes. @returns unsubscribe */
  onPresence(listener: () => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** Calls the listener for each document that fits the filter, now and after each return of the daemon. @returns unsubscribe */
  on(filter: string, listener: AttachmentListener): () => void {
    const entry = [filter, listener] as const;
    this.#listeners.add(entry);
    if (this.#present) for (const [topic, document] of this.#documents) tellOne(entry, topic, document, true);
    return () => this.#listeners.delete(entry);
  }

  /** Hands a job in. @throws {TransportError} `noDaemon`, `nodeGone`, `noAnswer`; what the daemon answers */
  async submit(submission: Submission): Promise<AcceptedRun> {
    return submitTo(this.#line(), submission);
  }

  /** Asks the daemon for what needs no more than a word. @throws {TransportError} `noDaemon`, `nodeGone`, `noAnswer` */
  async request(command: 'stop' | 'pause' | 'resume'): Promise<void> {
    await ask(this.#line(), command);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#watchers.clear();
    await this.#dialled.client.endAsync(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #client(): MqttClient {
    return this.#dialled.client;
  }

  #line(): Line {
    if (!this.#present || !this.#identity) throw new TransportError('noDaemon', this.away ?? 'no daemon');
    return { client: this.#client, cluster: this.#identity.cluster, address: this.path };
  }

  #heard(topic: string, payload: Buffer, retained: boolean): void {
    const address = parseTopic(topic);
    if (!address || address.kind === 'request' || address.kind === 'response') return;
    const document = asRecord(payload);
    if (document) this.#documents.set(topic, document);
    else this.#documents.delete(topic);
    if (this.#present && document) this.#tell(topic, document, retained);
    if (this.#cluster !== undefined) return;
    this.#cluster = address.cluster;
    void this.#introduce(address.cluster);
  }

  /** Asks the daemon who it is; what it says of others and of itself looks the same. */
  async #introduce(cluster: string): Promise<void> {
    try {
      const answer = v.parse(whoResponse, await ask({ client: this.#client, cluster, address: this.path }, 'who'));
      this.#identity = { ...answer, cluster };
    } catch (error) {
      // One that went away meanwhile is told by the connection itself.
      if (!(error instanceof TransportError && error.code === 'nodeGone')) {
        this.#silent = `the daemon at ${this.path} does not say who it is: run the same version of mqtile node`;
        this.#settle();
      }
      return;
    }
    this.#present = true;
    this.#settle();
    for (const [topic, document] of this.#documents) this.#tell(topic, document, true);
  }

  #closed(): void {
    this.#cluster = undefined;
    this.#silent = '';
    this.#documents.clear();
    const came = this.#present;
    this.#present = false;
    if (came) this.#settle();
    else this.#tried.resolve();
  }

  #settle(): void {
    this.#tried.resolve();
    for (const watcher of this.#watchers) watcher();
  }

  #tell(topic: string, document: unknown, old: boolean): void {
    for (const entry of this.#listeners) tellOne(entry, topic, document, old);
  }
}

function tellOne(
  [filter, listener]: readonly [string, AttachmentListener],
  topic: string,
  document: unknown,
  old: boolean,
): void {
  if (matches(filter, topic)) listener(topic, document, old);
}
