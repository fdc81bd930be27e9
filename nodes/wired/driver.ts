/** WiredDriver: decides who drives the runs of an embedded node: the flow that is wired for the job, or the trainer. */

import { InputError, type Drive } from 'mqtile';
import { WiredFlow } from './flow.ts';

/** A flow, and the name of the job that its mqtile-job stands for. */
interface Entry {
  readonly flow: WiredFlow;
  name: Promise<string>;
}

export class WiredDriver {
  readonly #device: string;
  readonly #entries = new Map<string, Entry>();
  /** Names of jobs that somebody on this device hands in just now for the trainer. */
  readonly #forTrainer = new Set<string>();

  constructor(device: string) {
    this.#device = device;
  }

  /**
   * The flow of an mqtile-job on this device.
   * @param job id of the mqtile-job
   * @param name of the job that it stands for now; may reject
   */
  flow(job: string, name: Promise<string>): WiredFlow {
    // Whoever reads the job reports what is wrong with it.
    name.catch(() => {});
    const known = this.#entries.get(job);
    if (known) {
      known.name = name;
      return known.flow;
    }
    const flow = new WiredFlow(this.#device, () => this.#entries.delete(job));
    this.#entries.set(job, { flow, name });
    return flow;
  }

  /** Hands a job in for the trainer, wires or not. */
  async withTrainer<Accepted>(job: string, submit: () => Promise<Accepted>): Promise<Accepted> {
    this.#forTrainer.add(job);
    try {
      return await submit();
    } catch (error) {
      this.#forTrainer.delete(job);
      throw error;
    }
  }

  readonly drive: Drive = async (run, about) => {
    const { name } = about.job;
    const trainer = this.#forTrainer.delete(name);
    const flow = trainer ? undefined : await this.#flowOf(name);
    return flow ? flow.drive(run, about) : run.train();
  };

  /** @throws {InputError} `flowTwice` */
  async #flowOf(job: string): Promise<WiredFlow | undefined> {
    const entries = [...this.#entries.values()];
    const names = await Promise.all(entries.map(({ name }) => name.catch(() => undefined)));
    const flows = entries.filter((_, index) => names[index] === job).map(({ flow }) => flow);
    if (flows.length < 2) return flows[0];
    throw new InputError(
      'flowTwice',
      `two flows are wired for job ${job} on ${this.#device}; one flow drives a device, so take the other one out or disable its tab`,
    );
  }
}
