/** Parameters in the arena: filled at the start, read for checkpoints, and compared between their holders. */

import { RunError } from '../errors.ts';
import { METRICS, METRIC_SUMS, type Plan } from '../planner/plan.ts';
import { bucketsOf, momentumName } from '../program/messages.ts';
import type { IterationProgram, Program } from '../program/program.ts';
import { volume, type Box, type Extent } from '../tensor/box.ts';

/** Float32 values by tensor name: parameters, and their momentum as `momentum.<parameter>`. */
export type TensorMap = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** Sums over the whole batch, and who saw a loss that is not finite. */
export interface Metrics {
  readonly loss: number;
  /** Correct answers; undefined for a loss without classes. */
  readonly correct: number | undefined;
  /** Ranks whose part of the loss was not finite. */
  readonly notFinite: readonly number[];
}

/** The error of a step whose loss is not finite, naming the nodes that saw it; undefined where all is well. */
export function notFiniteError(
  { loss, notFinite }: Metrics,
  step: number,
  devices: readonly string[],
): RunError | undefined {
  if (notFinite.length === 0 && Number.isFinite(loss)) return undefined;
  const names = notFinite.map((rank) => devices[rank]).join(', ');
  const where = names === '' ? 'in the sum over all nodes' : `on ${names}`;
  return new RunError(
    'lossNotFinite',
    `loss is ${loss} at step ${step} ${where}; lower optimizer.rate, or look at the data of that step`,
  );
}

export class ParameterStore {
  readonly #plan: Plan;
  readonly #program: Program;
  readonly #memory: Uint8Array;

  constructor(plan: Plan, program: Program, memory: Uint8Array) {
    this.#plan = plan;
    this.#program = program;
    this.#memory = memory;
  }

  /** Sets the parameters that this device holds, and the momentum that it owns where `values` has it (else 0). */
  fill(values: TensorMap): void {
    const { parameters, owned } = this.#program.storage;
    for (const [name, address] of parameters) {
      const tensor = values.get(name)!;
      this.#floats(address, tensor.length).set(tensor);
    }
    for (const { parameter, box, momentum } of owned) {
      const tensor = values.get(momentumName(parameter.name));
      if (tensor && momentum !== 0)
        this.#floats(momentum, volume(box)).set(tensor.subarray(...flatRange(parameter.extent, box)));
    }
  }

  /** Sets the learning rate of the steps to come. */
  setRate(rate: number): void {
    this.#floats(this.#program.storage.rate, 1)[0] = rate;
  }

  /**
   * Parameters and momentum, put together from what is held, owned and gathered in a checkpoint iteration: all of them on nodes that
   * write, else what there is.
   */
  collect(gathered: IterationProgram, parity: 0 | 1): Map<string, Float32Array<ArrayBuffer>> {
    const { storage, rank } = this.#program;
    const values = new Map<string, Float32Array<ArrayBuffer>>();
    for (const { name, extent } of this.#trained()) {
      const address = storage.parameters.get(name);
      if (address !== undefined) values.set(name, this.#floats(address, valuesOf(extent)).slice());
    }
    const put = (name: string, extent: Extent, box: Box, source: Float32Array) => {
      if (!values.has(name)) values.set(name, new Float32Array(valuesOf(extent)));
      values.get(name)!.set(source, flatRange(extent, box)[0]);
    };
    for (const { parameter, box, momentum } of storage.owned) {
      if (momentum !== 0) put(momentumName(parameter.name), parameter.extent, box, this.#floats(momentum, volume(box)));
    }
    for (const message of gathered.messages.filter(({ to }) => to === rank)) {
      let address = gathered.slots[parity].get(message.id)!;
      for (const { tensor, box } of message.parts) {
        put(tensor, this.#extentOf(tensor), box, this.#floats(address, volume(box)));
        address += volume(box) * 4;
      }
    }
    return values;
  }

  /** Whether every parameter is among the tensors. */
  isComplete(tensors: TensorMap): boolean {
    return this.#trained().every(({ name }) => tensors.has(name));
  }

  /** Sums of the last iteration. */
  metrics(): Metrics {
    const values = this.#floats(this.#program.storage.metrics, METRIC_SUMS + this.#plan.devices.length);
    const notFinite = [...values.subarray(METRIC_SUMS).keys()].filter((rank) => values[METRIC_SUMS + rank] !== 0);
    const correct = this.#program.loss === 'softmaxCrossEntropy' ? values[1]! : undefined;
    return { loss: values[0]!, correct, notFinite };
  }

  /** For each owner, the checksum of its weights as this device has them: of all that `holder` holds too. */
  checksum(owner: number, holder: number): number {
    const values = new Uint32Array(this.#memory.buffer, this.#memory.byteOffset + this.#program.storage.checksums);
    return bucketsOf(this.#plan).reduce((sum, bucket, index) => {
      const shared =
        bucket.owner === owner &&
        bucket.parts.some(({ parameter }) => parameter.name !== METRICS && parameter.holders.includes(holder));
      return shared ? (Math.imul(sum, 31) + values[index]!) >>> 0 : sum;
    }, 0);
  }

  #trained() {
    return this.#plan.parameters.filter(({ name }) => name !== METRICS);
  }

  #extentOf(tensor: string): Extent {
    return this.#trained().find(({ name }) => name === tensor || momentumName(name) === tensor)!.extent;
  }

  #floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, this.#memory.byteOffset + address, length);
  }
}

function valuesOf(extent: Extent): number {
  return extent.reduce((product, n) => product * n, 1);
}

/** First and end position of a box that is cut along the first axis only. */
function flatRange(extent: Extent, box: Box): [start: number, end: number] {
  const row = valuesOf(extent) / extent[0];
  return [box[0][0] * row, box[0][1] * row];
}
