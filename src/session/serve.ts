/** Serving: requests of operators become runs, and specs of peers become memberships. One run at a time. */

import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { InputError, RunError, TransportError } from '../errors.ts';
import { jobTopic, requestTopic, responseTopic } from '../protocol/topics.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { failureOf, type NodeContext } from './context.ts';
import { joinRun, type Membership } from './membership.ts';
import { parsePlanDocument, parseSpec, planHashOf, planOf, type PlanDocument, type Spec } from './spec.ts';
import { jobOf, submissionSchema, type Submission } from './submission.ts';

/** How long a submission waits for peers to be there. */
const PEERS_MS = 10_000;

/** Answered transactions that are remembered, so that a repetition is dropped. */
const REMEMBERED = 64;

const startRequest = v.object({ transaction: v.string(), submission: submissionSchema });
const stopRequest = v.object({ transaction: v.string() });

/** `response/start`. */
export type StartResponse = { readonly transaction: string } & (
  | { readonly run: string; readonly job: string; readonly planHash: string; readonly members: readonly string[] }
  | { readonly failure: { readonly code: string; readonly reason: string; readonly input: boolean } }
);

/** Serves jobs until closed. */
export class JobServer {
  readonly #context: NodeContext;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #transactions: string[] = [];
  readonly #specs = new Map<string, Spec>();
  readonly #plans = new Map<string, PlanDocument>();
  #current: Membership | undefined;

  constructor(context: NodeContext) {
    this.#context = context;
    const { bulletin, cluster } = context;
    this.#unsubscribe = [
      bulletin.on(requestTopic(cluster, 'start'), (_, document) => this.#start(document)),
      bulletin.on(requestTopic(cluster, 'stop'), (_, document) => this.#stop(document)),
      bulletin.on(jobTopic(cluster, '+', 'spec'), (_, document, from) => this.#spec(document, from)),
      bulletin.on(jobTopic(cluster, '+', 'plan'), (_, document, from) => this.#plan(document, from)),
    ];
  }

  /** Whether a run is under way. */
  get busy(): boolean {
    return this.#current !== undefined;
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#current?.stop(new RunError('stopped', `${this.#context.name} was stopped`));
    await this.#current?.ended;
  }

  #start(document: unknown): void {
    const parsed = v.safeParse(startRequest, document);
    if (!parsed.success || this.#seen(parsed.output.transaction)) return;
    const { transaction, submission } = parsed.output;
    const { bulletin, cluster } = this.#context;
    const answer = (response: object) => bulletin.post(responseTopic(cluster, 'start'), { transaction, ...response });
    this.#submit(submission).then(answer, (error: unknown) => answer({ failure: failureOf(error) }));
  }

  #stop(document: unknown): void {
    const parsed = v.safeParse(stopRequest, document);
    if (!parsed.success || this.#seen(parsed.output.transaction)) return;
    this.#current?.stop(new RunError('stopped', 'the run was stopped on request; go on with mqtile train --resume'));
    const { bulletin, cluster } = this.#context;
    bulletin.post(responseTopic(cluster, 'stop'), { transaction: parsed.output.transaction, stopped: this.busy });
  }

  async #submit(submission: Submission): Promise<object> {
    const { bulletin, cluster, name, info } = this.#context;
    const job = jobOf(submission);
    this.#refuseIfBusy();
    const members = await this.#members();
    const plan = planOf(
      job,
      members.map((member) => member.name),
    );
    const planHash = planHashOf(job, plan);
    const run = randomBytes(8).toString('hex');
    this.#refuseIfBusy();
    const spec: Spec = { run, protocol: PROTOCOL_VERSION, version: info.version, submitter: name, members, submission };
    const document: PlanDocument = { run, planHash, plan };
    bulletin.post(jobTopic(cluster, job.name, 'spec'), spec, { retain: true });
    bulletin.post(jobTopic(cluster, job.name, 'plan'), document, { retain: true });
    return { run, job: job.name, planHash, members: members.map((member) => member.name) };
  }

  /** This node and its peers, as they are now. @throws {TransportError} `peerUnreachable`, {InputError} `versionMismatch` */
  async #members(): Promise<Spec['members']> {
    const { name, info, peers, peersMissing, peerInfo } = this.#context;
    const deadline = performance.now() + PEERS_MS;
    while (peersMissing().size > 0) {
      if (performance.now() > deadline) {
        const [peer, why] = [...peersMissing()][0]!;
        throw new TransportError(
          'peerUnreachable',
          `${name} cannot reach its peer ${peer}: ${why}; start it, mend its address, or take it out of peers`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const others = peers().map((peer) => ({ name: peer, info: peerInfo(peer)! }));
    const foreign = others.find(
      (peer) => peer.info.protocol !== PROTOCOL_VERSION || peer.info.version !== info.version,
    );
    if (foreign) {
      const { version, protocol } = foreign.info;
      throw new InputError(
        'versionMismatch',
        `${foreign.name} runs MQTile ${version} (protocol ${protocol}), ${name} runs ${info.version} (protocol ${PROTOCOL_VERSION}); install the same version on both`,
      );
    }
    return [
      { name, instance: info.instance },
      ...others.map((peer) => ({ name: peer.name, instance: peer.info.instance })),
    ];
  }

  #refuseIfBusy(): void {
    if (!this.#current) return;
    throw new InputError('busy', `${this.#context.name} is training already; wait for its end or stop it first`);
  }

  #spec(document: unknown, from: string | undefined): void {
    const spec = parseSpec(document);
    if (!spec || spec.submitter !== (from ?? this.#context.name)) return;
    this.#specs.set(spec.run, spec);
    this.#joinIfComplete(spec.run);
  }

  #plan(document: unknown, from: string | undefined): void {
    const plan = parsePlanDocument(document);
    const spec = plan && this.#specs.get(plan.run);
    if (!plan || !spec || spec.submitter !== (from ?? this.#context.name)) return;
    this.#plans.set(plan.run, plan);
    this.#joinIfComplete(plan.run);
  }

  /** A run begins here when both its spec and its plan have come; retained ones of old runs name another instance of this node. */
  #joinIfComplete(run: string): void {
    const [spec, plan] = [this.#specs.get(run), this.#plans.get(run)];
    if (!spec || !plan) return;
    this.#specs.clear();
    this.#plans.clear();
    const { name, info } = this.#context;
    const meant = spec.members.some((member) => member.name === name && member.instance === info.instance);
    if (!meant || this.#seen(run) || this.#current) return;
    const membership = joinRun(this.#context, spec, plan.planHash);
    this.#current = membership;
    void membership.ended.then(() => (this.#current = undefined));
  }

  /** Whether a transaction or run was seen before; it is from now on. */
  #seen(id: string): boolean {
    if (this.#transactions.includes(id)) return true;
    this.#transactions.push(id);
    if (this.#transactions.length > REMEMBERED) this.#transactions.shift();
    return false;
  }
}
