/** Serving: requests of operators become runs, and specs of peers become memberships. One run at a time. */

import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { InputError, RunError } from '../errors.ts';
import { naming } from '../job/schema.ts';
import type { Member, NodeInfo } from '../protocol/documents.ts';
import { jobTopic, memberTopic, requestTopic, responseTopic } from '../protocol/topics.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { kernelsOfRun } from '../training/checkpoint/read.ts';
import { failureOf, unreachable, type NodeContext } from './context.ts';
import { joinRun, type Membership } from './membership.ts';
import { parsePlanDocument, parseSpec, planHashOf, planOfSpec, type PlanDocument, type Spec } from './spec.ts';
import { jobOf, submissionSchema, type Submission } from './submission.ts';

/** How long a submission waits for peers to be there. */
const PEERS_MS = 10_000;

/** Answered transactions that are remembered, so that a repetition is dropped. */
const REMEMBERED = 64;

const startRequest = v.object({ transaction: v.string(), submission: submissionSchema });
/** `stop`, `pause`, `resume` and `who`. */
const plainRequest = v.object({ transaction: v.string() });

/** A run that was accepted: every member gets ready for it now. */
export interface AcceptedRun {
  readonly run: string;
  readonly job: string;
  readonly planHash: string;
  /** By rank. */
  readonly members: readonly string[];
}

/** `response/start`. */
export type StartResponse = { readonly transaction: string } & (
  AcceptedRun | { readonly failure: { readonly code: string; readonly reason: string; readonly input: boolean } }
);

/** `response/who`: the node that was asked, and its peers in the order of its configuration. */
export interface WhoResponse {
  readonly transaction: string;
  readonly name: string;
  readonly peers: readonly { readonly name: string; readonly address: string }[];
}

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
      this.#serve('stop', () => ({ stopped: this.stop() })),
      this.#serve('pause', () => ({ paused: this.pause() })),
      this.#serve('resume', () => ({ resumed: this.resume() })),
      this.#serve('who', () => this.#who()),
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
    this.submit(submission).then(answer, (error: unknown) => answer({ failure: failureOf(error) }));
  }

  /** Answers a request that takes no time. @returns unsubscribe */
  #serve(command: string, answer: () => object): () => void {
    const { bulletin, cluster } = this.#context;
    return bulletin.on(requestTopic(cluster, command), (_, document) => {
      const parsed = v.safeParse(plainRequest, document);
      if (!parsed.success || this.#seen(parsed.output.transaction)) return;
      const { transaction } = parsed.output;
      bulletin.post(responseTopic(cluster, command), { transaction, ...answer() });
    });
  }

  #who(): Omit<WhoResponse, 'transaction'> {
    const { name, peers, addressOf } = this.#context;
    return { name, peers: peers().map((peer) => ({ name: peer, address: addressOf(peer) })) };
  }

  /** Ends the run that this node takes part in on all its nodes. @returns whether there is one */
  stop(): boolean {
    this.#current?.stop(new RunError('stopped', 'the run was stopped on request; go on with mqtile train --resume'));
    return this.busy;
  }

  /** Lets no step of the run begin on this node; the others wait for it. @returns whether there is a run */
  pause(): boolean {
    this.#current?.pause();
    return this.busy;
  }

  /** Goes on after {@link pause}. @returns whether there is a run */
  resume(): boolean {
    this.#current?.resume();
    return this.busy;
  }

  /**
   * Hands a job in, to this node and all its peers.
   * @throws {InputError} `busy`, `peerUnreachable`, `versionMismatch`, and those of the job and its plan
   */
  async submit(submission: Submission): Promise<AcceptedRun> {
    const { bulletin, cluster, name, info } = this.#context;
    const job = jobOf(submission);
    this.#refuseIfBusy();
    const members = await this.#members();
    const record = submission.resume ? await kernelsOfRun(job.checkpoint.directory) : undefined;
    const grounds = { members, ...(record ? { record } : {}) };
    const plan = naming(submission.source, () => planOfSpec(job, grounds));
    const planHash = planHashOf(job, plan);
    const run = randomBytes(8).toString('hex');
    this.#refuseIfBusy();
    const by = { protocol: PROTOCOL_VERSION, version: info.version, submitter: name };
    const spec: Spec = { run, ...by, ...grounds, submission };
    const document: PlanDocument = { run, planHash, plan };
    bulletin.post(jobTopic(cluster, job.name, 'spec'), spec, { retain: true });
    bulletin.post(jobTopic(cluster, job.name, 'plan'), document, { retain: true });
    return { run, job: job.name, planHash, members: members.map((member) => member.name) };
  }

  /** This node and its peers, as they are now. @throws {InputError} `peerUnreachable`, `versionMismatch` */
  async #members(): Promise<Spec['members']> {
    const { name, info, peers, peersMissing, peerInfo } = this.#context;
    const deadline = performance.now() + PEERS_MS;
    this.#refuseForeign();
    while (peersMissing().size > 0) {
      if (performance.now() > deadline) {
        const [peer, why] = [...peersMissing()][0]!;
        throw unreachable(this.#context, peer, why);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      this.#refuseForeign();
    }
    const infos: readonly (readonly [name: string, NodeInfo])[] = [
      [name, info],
      ...peers().map((peer) => [peer, peerInfo(peer)!] as const),
    ];
    return infos.map(([node, { instance, kernels }]) => ({
      name: node,
      instance,
      ...(kernels ? { rates: kernels } : {}),
    }));
  }

  /** Peers that are there and of another version need not be waited for. */
  #refuseForeign(): void {
    const { name, info, peers, peerInfo } = this.#context;
    for (const peer of peers()) {
      const { version = info.version, protocol = PROTOCOL_VERSION } = peerInfo(peer) ?? {};
      if (version === info.version && protocol === PROTOCOL_VERSION) continue;
      throw new InputError(
        'versionMismatch',
        `${peer} runs MQTile ${version} (protocol ${protocol}), ${name} runs ${info.version} (protocol ${PROTOCOL_VERSION}); install the same version on both`,
      );
    }
  }

  #refuseIfBusy(): void {
    if (this.#current) throw this.#busy();
  }

  #busy(): InputError {
    return new InputError('busy', `${this.#context.name} is training already; wait for its end or stop it first`);
  }

  /** Those who wait for this node should hear at once that it will not come. */
  #decline({ run, submission }: Spec, planHash: string): void {
    const { name, cluster, info, bulletin } = this.#context;
    const member: Member = { ...failureOf(this.#busy()), run, planHash, instance: info.instance, state: 'failed' };
    try {
      bulletin.post(memberTopic(cluster, jobOf(submission).name, name), member, { retain: true });
    } catch {
      // A job that cannot be parsed has no name to answer under, and no other node takes part in it either.
    }
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
    if (!meant || this.#seen(run)) return;
    if (this.#current) return this.#decline(spec, plan.planHash);
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
