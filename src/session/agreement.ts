/** Agreement: what all members of a run say about themselves, and waiting until all of them have said it. */

import { InputError, RunError, TransportError } from '../errors.ts';
import { parseMember, type Member } from '../protocol/documents.ts';
import { memberTopic } from '../protocol/topics.ts';
import type { NodeContext } from './context.ts';
import type { Spec } from './spec.ts';

/** Follows the members of one run. Aborts when one of them fails or is lost. */
export class Agreement {
  readonly #context: NodeContext;
  readonly #spec: Spec;
  readonly #job: string;
  readonly #planHash: string;
  readonly #members = new Map<string, Member>();
  readonly #abort = new AbortController();
  readonly #unsubscribe: readonly (() => void)[];
  #changed = Promise.withResolvers<void>();
  #finished = false;

  constructor(context: NodeContext, spec: Spec, job: string, planHash: string) {
    this.#context = context;
    this.#spec = spec;
    this.#job = job;
    this.#planHash = planHash;
    this.#unsubscribe = [
      context.bulletin.on(memberTopic(context.cluster, job, '+'), (topic, document, from) =>
        this.#heard(topic, document, from),
      ),
      context.transport.onPeer((event) => {
        if (event.kind === 'lost') this.#lost(event.peer, event.reason);
      }),
    ];
  }

  /** Aborted with the reason when another member fails or is lost. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A lost peer is noticed by every part of a run that waits for it: of that, what a person can do about it is said here. */
  causeOf(error: unknown): unknown {
    const lost = error instanceof TransportError && error.code === 'peerLost' && this.signal.aborted;
    return lost ? this.signal.reason : error;
  }

  /** Says what this node is doing for the job. */
  say(state: Member['state'], more: Partial<Member> = {}): void {
    const { name, info, cluster, bulletin } = this.#context;
    const member: Member = { ...more, run: this.#spec.run, planHash: this.#planHash, instance: info.instance, state };
    this.#members.set(name, member);
    if (state === 'done') this.#finished = true;
    bulletin.post(memberTopic(cluster, this.#job, name), member, { retain: true });
    this.#wake();
  }

  /**
   * Waits until every member is in one of these states.
   * @throws {TransportError} `peerSilent` naming who did not answer in time; the reason of a member's failure
   */
  async all(states: readonly Member['state'][], limitMs: number): Promise<ReadonlyMap<string, Member>> {
    const deadline = AbortSignal.timeout(limitMs);
    const late = () =>
      this.#spec.members.filter(({ name }) => !states.includes(this.#members.get(name)?.state ?? 'failed'));
    while (late().length > 0) {
      this.signal.throwIfAborted();
      if (deadline.aborted) {
        const names = late().map(({ name }) => name);
        throw new TransportError(
          'peerSilent',
          `${names.join(', ')} did not get ${states[0]} within ${limitMs / 1000} s; look at what that node prints`,
        );
      }
      await this.#next(deadline);
    }
    return this.#members;
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  async #next(deadline: AbortSignal): Promise<void> {
    const stop = Promise.withResolvers<void>();
    const end = () => stop.resolve();
    const signals = [deadline, this.signal];
    for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    await Promise.race([this.#changed.promise, stop.promise]);
    for (const signal of signals) signal.removeEventListener('abort', end);
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #heard(topic: string, document: unknown, from: string | undefined): void {
    const node = topic.split('/').at(-1)!;
    const member = parseMember(document);
    const known = this.#spec.members.find(({ name }) => name === node);
    // A node speaks for itself only; our own words come back without a sender.
    if (!member || !known || node !== from || member.run !== this.#spec.run) return;
    this.#members.set(node, member);
    if (member.state === 'failed') {
      const Failure = member.input ? InputError : RunError;
      // What somebody stopped has not failed, on whichever node they said so.
      const code = member.code === 'stopped' ? 'stopped' : 'memberFailed';
      this.#stop(new Failure(code, `${node}: ${member.reason ?? 'failed'}`));
    } else if (member.planHash !== this.#planHash) {
      this.#stop(
        new RunError(
          'planMismatch',
          `${node} made another plan (${member.planHash}, here ${this.#planHash}); install the same version and the same job on both`,
        ),
      );
    }
    this.#wake();
  }

  #lost(peer: string, reason: string): void {
    const meant = this.#spec.members.some(({ name }) => name === peer);
    // Once this node is done, a peer that is done too may leave.
    if (!meant || this.#finished || this.#members.get(peer)?.state === 'done') return;
    this.#stop(
      new TransportError('peerLost', `lost ${peer}: ${reason}; start it again and go on with mqtile train --resume`),
    );
  }

  #stop(reason: Error): void {
    this.#abort.abort(reason);
    this.#wake();
  }
}
