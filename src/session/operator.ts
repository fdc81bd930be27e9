/** Operator: somebody outside a node, who hands jobs in and follows them over that node's broker. */

import { InputError, type TransportError } from '../errors.ts';
import { parseMember, type Member, type MemberResult } from '../protocol/documents.ts';
import { parseTopic, type TelemetryKind } from '../protocol/topics.ts';
import { dial } from './dial.ts';
import { asRecord, errorOf, nodeGone, submitTo, tell, type Line } from './requests.ts';
import type { AcceptedRun } from './serve.ts';
import type { Submission } from './submission.ts';

/** After the first member that only followed another's failure, that other one has this long to say its cause. */
const CAUSE_MS = 6_000;

/** After the first cause, the other members have this long to say theirs: they may know a better one, or be gone. */
const VERDICT_MS = 500;

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
  readonly #line: Line;

  private constructor(line: Line) {
    this.#line = line;
  }

  /**
   * @param address of a node's broker, e.g. mqtt://127.0.0.1:1883, or of a daemon's socket, e.g. unix:/run/mqtile/home-pi1.sock
   * @throws {InputError} `noNode` when nothing answers there
   */
  static async connect(address: string, cluster: string): Promise<Operator> {
    const { client, failure } = dial(address, 0);
    const opened = Promise.withResolvers<boolean>();
    client.once('connect', () => opened.resolve(true));
    client.once('close', () => opened.resolve(false));
    if (await opened.promise) return new Operator({ client, cluster, address });
    throw new InputError(
      'noNode',
      `no node answers at ${address} (${failure().reason}); start one with mqtile node --config node.yaml, or train on this machine alone with --local 4`,
    );
  }

  /** Hands a job in. @throws {InputError} or {RunError} with the node's own code and words; {TransportError} `noAnswer`, `nodeGone` */
  submit(submission: Submission): Promise<AcceptedRun> {
    return submitTo(this.#line, submission);
  }

  /** Asks the node to stop its run. */
  stop(): Promise<void> {
    return tell(this.#line, 'stop');
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
    const { client, cluster, address } = this.#line;
    client.on('close', () => ending.gone(nodeGone(address)));
    client.on('message', (topic, payload) => {
      const from = parseTopic(topic);
      const document = asRecord(payload);
      if (document?.['run'] !== run || !from) return;
      if (from.kind === 'telemetry') {
        onEvent({ kind: 'telemetry', node: from.node, telemetry: from.telemetry, document });
      } else if (from.kind === 'member') {
        const member = parseMember(document);
        if (!member) return;
        onEvent({ kind: 'member', node: from.node, member });
        ending.heard(from.node, member);
      }
    });
    await client.subscribeAsync(`mqtile/${cluster}/job/${job}/#`, { qos: 1 });
    return ending.promise;
  }

  async close(): Promise<void> {
    await this.#line.client.endAsync(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
