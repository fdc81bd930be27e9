/** Operator: somebody outside a node, who hands jobs in and follows them over that node's broker. */

import { randomBytes } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import { InputError, RunError, TransportError } from '../errors.ts';
import { parseMember, type Member, type MemberResult } from '../protocol/documents.ts';
import { parseTopic, requestTopic, responseTopic, type TelemetryKind } from '../protocol/topics.ts';
import { packetLimitBytes } from '../transport/authorize.ts';
import type { AcceptedRun, StartResponse } from './serve.ts';
import type { Submission } from './submission.ts';

/** A node answers a submission within this time: it may first wait for its peers. */
const ANSWER_MS = 20_000;

/** After the first member that only followed another's failure, that other one has this long to say its cause. */
const CAUSE_MS = 6_000;

/** After the first cause, the other members have this long to say theirs: they may know a better one, or be gone. */
const VERDICT_MS = 500;

/** Most bytes of a request: what a broker takes from a local client, less the topic and the packet's own fields. */
const REQUEST_BYTES = packetLimitBytes({ kind: 'local' }) - 512;

/** Something that a member said or measured. */
export type OperatorEvent =
  | {
      readonly kind: 'telemetry';
      readonly node: string;
      readonly telemetry: TelemetryKind;
      readonly document: Record<string, unknown>;
    }
  | { readonly kind: 'member'; readonly node: string; readonly member: Member };

export class Operator implements AsyncDisposable {
  readonly #client: MqttClient;
  readonly #cluster: string;
  readonly #url: string;

  private constructor(client: MqttClient, cluster: string, url: string) {
    this.#client = client;
    this.#cluster = cluster;
    this.#url = url;
  }

  /**
   * @param url of a node's broker, e.g. mqtt://127.0.0.1:1883
   * @throws {InputError} `noNode` when nothing answers there
   */
  static async connect(url: string, cluster: string): Promise<Operator> {
    const clientId = `operator-${randomBytes(4).toString('hex')}`;
    try {
      const client = await connectAsync(url, {
        clientId,
        reconnectPeriod: 0,
        connectTimeout: 5000,
        protocolVersion: 4,
      });
      client.on('error', () => {});
      return new Operator(client, cluster, url);
    } catch (cause) {
      const why = cause instanceof Error && cause.message !== '' ? cause.message : 'connection refused';
      throw new InputError(
        'noNode',
        `no node answers at ${url} (${why}); start one with mqtile node --config node.yaml, or train on this machine alone with --local 4`,
        { cause },
      );
    }
  }

  /** Hands a job in. @throws {InputError} or {RunError} with the node's own code and words */
  async submit(submission: Submission): Promise<AcceptedRun> {
    const transaction = randomBytes(8).toString('hex');
    const topic = responseTopic(this.#cluster, 'start');
    const bytes = Buffer.byteLength(JSON.stringify({ transaction, submission }));
    if (bytes > REQUEST_BYTES) {
      throw new InputError(
        'jobTooLong',
        `${submission.source}: is ${bytes} bytes long as a message, want at most ${REQUEST_BYTES}; shorten it`,
      );
    }
    await this.#client.subscribeAsync(topic, { qos: 1 });
    const answered = this.#answer(topic, transaction);
    // Where the connection breaks the broker acknowledges nothing, and the answer's own failure says so.
    this.#request('start', { transaction, submission }).catch(() => {});
    const response = await answered;
    if ('failure' in response) throw errorOf(response.failure);
    return response;
  }

  /** The answer to a request. @throws {TransportError} `noAnswer`, `nodeGone` */
  #answer(topic: string, transaction: string): Promise<StartResponse> {
    return new Promise((resolve, reject) => {
      const late = new TransportError(
        'noAnswer',
        `the node at ${this.#url} did not answer within ${ANSWER_MS / 1000} s; is it of cluster ${this.#cluster}?`,
      );
      const timer = setTimeout(() => reject(late), ANSWER_MS);
      this.#client.once('close', () => {
        clearTimeout(timer);
        reject(this.#gone());
      });
      this.#client.on('message', (from, payload) => {
        if (from !== topic) return;
        const response = JSON.parse(payload.toString()) as StartResponse;
        if (response.transaction !== transaction) return;
        clearTimeout(timer);
        resolve(response);
      });
    });
  }

  #gone(): TransportError {
    return new TransportError('nodeGone', `the node at ${this.#url} went away`);
  }

  /** Asks the node to stop its run. */
  async stop(): Promise<void> {
    await this.#request('stop', { transaction: randomBytes(8).toString('hex') });
  }

  /**
   * Follows a run to its end.
   * @returns what each member did, by name
   * @throws {InputError} or {RunError} with the cause that a member gave; {TransportError} `nodeGone` when the node that is asked goes away
   */
  async follow(
    { run, job, members }: AcceptedRun,
    onEvent: (event: OperatorEvent) => void,
  ): Promise<ReadonlyMap<string, MemberResult>> {
    const ending = new Ending(members);
    this.#client.on('close', () => ending.gone(this.#gone()));
    this.#client.on('message', (topic, payload) => {
      const address = parseTopic(topic);
      const document = asRecord(payload);
      if (document?.['run'] !== run || !address) return;
      if (address.kind === 'telemetry') {
        onEvent({ kind: 'telemetry', node: address.node, telemetry: address.telemetry, document });
      } else if (address.kind === 'member') {
        const member = parseMember(document);
        if (!member) return;
        onEvent({ kind: 'member', node: address.node, member });
        ending.heard(address.node, member);
      }
    });
    await this.#client.subscribeAsync(`mqtile/${this.#cluster}/job/${job}/#`, { qos: 1 });
    return ending.promise;
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #request(command: string, document: object): Promise<void> {
    await this.#client.publishAsync(requestTopic(this.#cluster, command), JSON.stringify(document), { qos: 1 });
  }
}

/** Collects how a run ended for each member. */
class Ending {
  readonly promise: Promise<ReadonlyMap<string, MemberResult>>;
  readonly #members: readonly string[];
  readonly #results = new Map<string, MemberResult>();
  readonly #failures = new Map<string, Member>();
  readonly #settle: PromiseWithResolvers<ReadonlyMap<string, MemberResult>>;

  constructor(members: readonly string[]) {
    this.#members = members;
    this.#settle = Promise.withResolvers();
    this.promise = this.#settle.promise;
  }

  heard(node: string, member: Member): void {
    if (member.state === 'done' && member.result) this.#results.set(node, member.result);
    if (member.state === 'failed') {
      const waitMs = member.code === 'memberFailed' ? CAUSE_MS : VERDICT_MS;
      setTimeout(() => this.#verdict(), waitMs).unref();
      this.#failures.set(node, member);
    }
    if (this.#results.size === this.#members.length) this.#settle.resolve(this.#results);
    else if (this.#failures.size > 0 && this.#results.size + this.#failures.size === this.#members.length)
      this.#verdict();
  }

  gone(error: TransportError): void {
    this.#settle.reject(error);
  }

  /** A cause, rather than that somebody else failed. */
  #verdict(): void {
    const failures = [...this.#failures.values()];
    const cause = failures.find(({ code }) => code !== 'memberFailed') ?? failures[0]!;
    this.#settle.reject(
      errorOf({ code: cause.code ?? 'failed', reason: cause.reason ?? 'failed', input: cause.input ?? false }),
    );
  }
}

function errorOf({ code, reason, input }: { code: string; reason: string; input: boolean }): Error {
  return input ? new InputError(code, reason) : new RunError(code, reason);
}

function asRecord(payload: Buffer): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(payload.toString());
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
