/** Runs the programs of all ranks in lockstep, moving messages by copying bytes: the pure core, with no transport under it. */

import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import type { Arena, Engine, Submission } from '../../src/kernels/engine.ts';
import type { Model } from '../../src/model/layers.ts';
import { initialParameters } from '../../src/model/init.ts';
import { kernelsAt } from '../../src/planner/kernels.ts';
import { METRICS, type Plan } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import type { Message } from '../../src/program/messages.ts';
import type { SgdOptions, Variant } from '../../src/program/options.ts';
import { iterationKey, type IterationProgram, type Phase, type Program } from '../../src/program/program.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { uniform } from '../../src/tensor/random.ts';
import type { Parameters, UntiledSample } from './untiled.ts';

/** Small chunks, so that messages of a few kilobytes already need several. */
export const TEST_FRAMING = { chunkBytes: 4096, headerBytes: 64 };

/** What programs under test are compiled for, unless a test says otherwise. */
/** SGD and its learning rate, the same in every step. */
export interface TestSgd extends SgdOptions {
  readonly rate: number;
}

export const TEST_SGD: TestSgd = { rate: 0.05, momentum: 0.9, weightDecay: 0 };

export interface Lockstep {
  /** One iteration on the pixels and labels that {@link batchOf} draws from `seed`. */
  iterate(variant: Variant, seed: number): Promise<void>;
  /** Values of a parameter as a rank holds them. */
  weights(rank: number, name: string): Float32Array;
  /** Momentum over all owners, put together. After a first step with momentum and no decay it is the gradient. */
  momentum(name: string): Float32Array;
  metrics(rank: number): Float32Array;
  /** Fills with NaN whatever an iteration may not rely on: temporary buffers, send regions and receive slots. */
  poison(): void;
  readonly programs: readonly Program[];
}

export interface LockstepOptions {
  readonly model: Model;
  readonly plan: Plan;
  readonly variants: readonly Variant[];
  readonly optimizer?: TestSgd;
  readonly engine?: Engine;
  /** Sees each call before it is executed, with the bytes of the arena. */
  readonly observe?: Observer;
}

export type Observer = (call: KernelCall, memory: Uint8Array) => void;

/** One device of a lockstep cluster. */
interface Device {
  readonly program: Program;
  readonly arena: Arena;
  readonly observe: Observer | undefined;
  readonly submissions: Map<readonly KernelCall[], Submission>;
}

export async function createLockstep(options: LockstepOptions): Promise<Lockstep> {
  const { model, plan, variants } = options;
  const engine = options.engine ?? createReferenceEngine();
  const optimizer = options.optimizer ?? TEST_SGD;
  const devices: Device[] = [];
  for (const rank of plan.devices.keys()) {
    const program = compileProgram(model, plan, rank, {
      framing: TEST_FRAMING,
      optimizer,
      normalization: { mean: [], deviation: [] },
      writers: [0],
      variants,
    });
    const arena = await engine.allocate(program.arenaBytes, kernelsAt(plan.kernels, rank));
    devices.push({ program, arena, observe: options.observe, submissions: new Map() });
  }
  const values = initialParameters(model, 1);
  for (const { program, arena } of devices) {
    floats(arena, program.storage.rate, 1)[0] = optimizer.rate;
    for (const [name, address] of program.storage.parameters) {
      const tensor = values.get(name)!.values;
      floats(arena, address, tensor.length).set(tensor);
    }
  }
  let iteration = 0;
  const lengthOf = (name: string) => values.get(name)!.values.length;

  return {
    programs: devices.map(({ program }) => program),
    iterate: async (variant, seed) => {
      const parity = (iteration++ % 2) as 0 | 1;
      stage(model, plan, devices, { samples: variant.samples, seed, parity });
      await runIteration(plan, devices, variant, parity);
    },
    weights: (rank, name) => {
      const { program, arena } = devices[rank]!;
      return floats(arena, program.storage.parameters.get(name)!, lengthOf(name)).slice();
    },
    momentum: (name) => gatherMomentum(devices, name, lengthOf(name)),
    metrics: (rank) => {
      const { extent } = plan.parameters.find(({ name }) => name === METRICS)!;
      return floats(devices[rank]!.arena, devices[rank]!.program.storage.metrics, extent[0]).slice();
    },
    poison: () => devices.forEach(poison),
  };
}

/** Noise pixels, image after image, and labels below the number of outputs. */
export function batchOf(model: Model, samples: number, seed: number): { pixels: Uint8Array; labels: Int32Array } {
  const noise = new Float32Array(samples * model.input[0] * model.input[1] * model.input[2]);
  uniform(noise, 1, seed);
  const last = model.layers.at(-1)!;
  const classes = last.kind === 'dense' ? last.units : 1;
  return {
    pixels: Uint8Array.from(noise, (value) => Math.floor((value + 1) * 127)),
    labels: Int32Array.from({ length: samples }, (_, n) => (n * 7 + seed) % classes),
  };
}

/** The same batch as the untiled network takes it. */
export function untiledBatch(model: Model, samples: number, seed: number): readonly UntiledSample[] {
  const { pixels, labels } = batchOf(model, samples, seed);
  const [channels, rows, columns] = model.input;
  const bytes = channels * rows * columns;
  return Array.from(labels, (label, n) => {
    const values = Float64Array.from(pixels.subarray(n * bytes, (n + 1) * bytes), (byte) => byte / 255);
    return { image: { channels, rows, columns, values }, label };
  });
}

/** The parameters that every test begins with, in float64. */
export function untiledParameters(model: Model): Parameters {
  return new Map([...initialParameters(model, 1)].map(([name, { values }]) => [name, Float64Array.from(values)]));
}

/** max|a - b| / max|b|. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    const apart = Math.abs(a[i]! - b[i]!);
    // A NaN is never close to anything.
    difference = Number.isNaN(apart) ? Infinity : Math.max(difference, apart);
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return scale === 0 ? difference : difference / scale;
}

async function runIteration(plan: Plan, devices: readonly Device[], variant: Variant, parity: 0 | 1): Promise<void> {
  const each = (pick: (program: IterationProgram) => Phase | undefined) => runPhase(devices, { variant, pick, parity });
  if (variant.kind === 'checkpoint') return each((program) => program.gather);
  const stages = plan.stages.length;
  for (let s = 0; s < stages; s++) await each((program) => program.forward[s]);
  await each((program) => program.loss);
  for (let s = stages - 1; s >= 0; s--) {
    await each((program) => program.backward[s]);
    await each((program) => program.reduce[s]);
  }
  for (let s = 0; s < stages; s++) await each((program) => program.update[s]);
  await each((program) => program.apply);
}

interface PhaseOfAll {
  readonly variant: Variant;
  readonly pick: (program: IterationProgram) => Phase | undefined;
  readonly parity: 0 | 1;
}

async function runPhase(devices: readonly Device[], { variant, pick, parity }: PhaseOfAll): Promise<void> {
  const now = devices.map(({ program }) => program.iterations.get(iterationKey(variant.kind, variant.samples))!);
  for (const [rank, program] of now.entries()) await execute(devices[rank]!, pick(program)?.calls[parity] ?? []);
  for (const program of now) {
    for (const message of pick(program)?.send ?? []) deliver(devices, now, message, parity);
  }
}

async function execute(device: Device, calls: readonly KernelCall[]): Promise<void> {
  if (calls.length === 0) return;
  const { arena, submissions, observe } = device;
  if (observe !== undefined) {
    for (const call of calls) {
      observe(call, arena.bytes);
      await arena.run(arena.compile([call]));
    }
    return;
  }
  const submission = submissions.get(calls) ?? arena.compile(calls);
  submissions.set(calls, submission);
  await arena.run(submission);
}

function deliver(devices: readonly Device[], now: readonly IterationProgram[], message: Message, parity: 0 | 1): void {
  const { id, from, to, bytes } = message;
  const region = now[from]!.sends.get(id)!;
  const slot = now[to]!.slots[parity].get(id)!;
  for (let start = 0, chunk = 0; start < bytes; start += TEST_FRAMING.chunkBytes, chunk++) {
    const size = Math.min(TEST_FRAMING.chunkBytes, bytes - start);
    const source = region + start + chunk * TEST_FRAMING.headerBytes;
    devices[to]!.arena.bytes.set(devices[from]!.arena.bytes.subarray(source, source + size), slot + start);
  }
}

interface Staging {
  readonly samples: number;
  readonly seed: number;
  readonly parity: 0 | 1;
}

function stage(model: Model, plan: Plan, devices: readonly Device[], { samples, seed, parity }: Staging): void {
  const { pixels, labels } = batchOf(model, samples, seed);
  const imageBytes = pixels.length / Math.max(1, samples);
  devices.forEach(({ program: { storage }, arena: { bytes } }, rank) => {
    const [first, end] = plan.stages[0]!.needed[rank]![0];
    bytes.set(pixels.subarray(first * imageBytes, end * imageBytes), storage.images[parity]);
    new Int32Array(bytes.buffer, bytes.byteOffset + storage.labels[parity], samples).set(labels);
  });
}

function gatherMomentum(devices: readonly Device[], name: string, length: number): Float32Array {
  const whole = new Float32Array(length);
  for (const { program, arena } of devices) {
    for (const { parameter, box, momentum } of program.storage.owned) {
      if (parameter.name !== name) continue;
      const row = length / parameter.extent[0];
      whole.set(floats(arena, momentum, (box[0][1] - box[0][0]) * row), box[0][0] * row);
    }
  }
  return whole;
}

function poison({ program, arena }: Device): void {
  const { slots, send, end } = program.storage;
  // All bits set are a NaN in every float.
  arena.bytes.fill(0xff, slots[0], send);
  arena.bytes.fill(0xff, send, end);
  arena.bytes.fill(0xff, end, program.arenaBytes);
}

function floats(arena: Arena, address: number, length: number): Float32Array {
  return new Float32Array(arena.bytes.buffer, arena.bytes.byteOffset + address, length);
}
