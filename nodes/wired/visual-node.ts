/** What the wired nodes have in common: they join the flow of their job and device once a deploy is complete, and hand it their messages. */

import { jobOf, planOf, type Plan } from 'mqtile';
import { mqtileJob } from '../mqtile-job.ts';
import { mqtileNode } from '../mqtile-node.ts';
import type { FlowMessage, FlowNode, Red } from '../red.ts';
import { obey, safely } from '../safely.ts';
import { whenDeployed } from './deployed.ts';
import type { WiredFlow } from './flow.ts';
import type { Role } from './role.ts';
import { checkStage, type Wired } from './wiring.ts';

/** Where a visual node belongs: ids of its configuration nodes, and what it does. */
export interface Place extends Wired {
  readonly node: string;
  readonly job: string;
}

export class VisualNode {
  readonly #node: FlowNode;
  readonly #red: Red;
  readonly #place: () => Place;
  #leave: (() => void) | undefined;
  #closed = false;
  #role: Role | undefined;
  readonly #flow: Promise<WiredFlow>;

  /** @param place asked once a deploy is complete, when every other node is there @throws never: what is wrong is reported */
  constructor(red: Red, node: FlowNode, place: () => Place) {
    this.#red = red;
    this.#node = node;
    this.#place = place;
    this.#flow = whenDeployed(red).then(() => this.#join());
    this.#flow.catch(() => {});
    node.on('close', (done) => {
      this.#closed = true;
      this.#leave?.();
      done();
    });
    safely(node, {}, async () => void (await this.#flow));
  }

  /** The flow that it takes part in. @throws whatever keeps it from taking part */
  get flow(): Promise<WiredFlow> {
    return this.#flow;
  }

  /** Hands the node's own role a message. @throws whatever is wrong, with the way out */
  async call(message: FlowMessage): Promise<void> {
    const flow = await this.#flow;
    await flow.call(this.#role!, message);
  }

  /** Whether the flow could train its job as it is. @throws {InputError} of `checkWiring` */
  async check(): Promise<void> {
    const { node, job } = this.#place();
    const { name, peers } = await mqtileNode(this.#red, node).embedded();
    const submission = await mqtileJob(this.#red, job).submission({ resume: false, writers: 'all' });
    const parsed = jobOf(submission);
    (await this.#flow).check(planOf(parsed, [name, ...peers]), parsed.name);
  }

  async #join(): Promise<WiredFlow> {
    const { node, job, role, layers } = this.#place();
    const embedded = await mqtileNode(this.#red, node).embedded();
    const parsed = mqtileJob(this.#red, job).submission({ resume: false, writers: 'all' }).then(jobOf);
    const flow = embedded.driver.flow(
      job,
      parsed.then(({ name }) => name),
    );
    if (this.#closed) return flow;
    this.#role = role;
    this.#leave = flow.join({ role, layers, node: this.#node });
    if (!('stage' in role)) return flow;
    const plan = await parsed.then((job) => planOf(job, [embedded.name, ...embedded.peers])).catch(noPlan);
    if (plan) checkStage({ role, layers }, plan);
    return flow;
  }
}

/** A job that gives no plan is reported once, where it is started. */
function noPlan(): Plan | undefined {
  return undefined;
}

/** Runs a visual node whose every message is a call. */
export function runVisualNode(red: Red, node: FlowNode, place: () => Place): void {
  const visual = new VisualNode(red, node, place);
  node.on('input', (message, _, done) => obey(node, message, done, () => visual.call(message)));
}
