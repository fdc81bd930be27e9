/** Runs the programs of all ranks in lockstep, moving messages by copying bytes: the pure core, with no transport under it. */

import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import type { Arena, Engine } from '../../src/kernels/engine.ts';
import type { Model } from '../../src/model/layers.ts';
import { initialParameters } from '../../src/model/init.ts';
import { METRICS, type Plan } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import type { CompileOptions, Variant } from '../../src/program/options.ts';
import { iterationKey, type IterationProgram, type Phase, type Program } from '../../src/program/program.ts';
import { uniform } from '../../src/tensor/random.ts';

/** Small chunks, so that messages of a few kilobytes already need several. */
export const TEST_FRAMING = { chunkBytes: 4096, headerBytes: 64 };

export interface Lockstep {
  /** One iteration on random pixels and labels drawn from `seed`. */
  iterate(variant: Variant, seed: number): Promise<void>;
  /** Values of a parameter as a rank holds them. */
  weights(rank: number, name: string): Float32Array;
  /** Momentum over all owners, put together. After a first step with momentum and no decay it is the gradient. */
  momentum(name: string): Float32Array;
  metrics(rank: number): Float32Array;
  readonly programs: readonly Program[];
}

export interface LockstepOptions {
  readonly model: Model;
  readonly plan: Plan;
  readonly variants: readonly Variant[];
  readonly classes: number;
  readonly engine?: Engine;
}

export async function createLockstep({ model, plan, variants, classes, engine }: LockstepOptions): Promise<Lockstep> {
  const options: CompileOptions = {
    framing: TEST_FRAMING,
    optimizer: { rate: 0.05, momentum: 0.9, weightDecay: 0 },
    normalization: { mean: [], deviation: [] },
    writers: [0],
    variants,
  };
  const kernels = engine ?? createReferenceEngine();
  const programs = plan.devices.map((_, rank) => compileProgram(model, plan, rank, options));
  const arenas = await Promise.all(programs.map(({ arenaBytes }) => kernels.allocate(arenaBytes)));
  const values = initialParameters(model, 1);
  programs.forEach(({ storage }, rank) => {
    for (const [name, address] of storage.parameters)
      floats(arenas[rank]!, address, values.get(name)!.values.length).set(values.get(name)!.values);
  });
  let iteration = 0;

  return { iterate, weights, momentum, metrics, programs };

  async function iterate(variant: Variant, seed: number): Promise<void> {
    const parity = (iteration++ % 2) as 0 | 1;
    const now = programs.map(({ iterations }) => iterations.get(iterationKey(variant.kind, variant.samples))!);
    if (variant.kind !== 'checkpoint') stageInput(variant.samples, seed, parity);
    const stages = plan.stages.length;
    const each = (pick: (program: IterationProgram) => Phase | undefined) => phase(now, pick, parity);
    if (variant.kind === 'checkpoint') return each((program) => program.gather);
    for (let stage = 0; stage < stages; stage++) await each((program) => program.forward[stage]);
    await each((program) => program.loss);
    for (let stage = stages - 1; stage >= 0; stage--) {
      await each((program) => program.backward[stage]);
      await each((program) => program.reduce[stage]);
    }
    for (let stage = 0; stage < stages; stage++) await each((program) => program.update[stage]);
    await each((program) => program.apply);
  }

  async function phase(
    now: readonly IterationProgram[],
    pick: (program: IterationProgram) => Phase | undefined,
    parity: 0 | 1,
  ): Promise<void> {
    for (const [rank, program] of now.entries()) {
      const calls = pick(program)?.calls[parity] ?? [];
      await arenas[rank]!.run(arenas[rank]!.compile(calls));
    }
    now.forEach((program) => pick(program)?.send.forEach((message) => deliver(now, message, parity)));
  }

  function deliver(
    now: readonly IterationProgram[],
    { id, from, to, bytes }: { id: number; from: number; to: number; bytes: number },
    parity: 0 | 1,
  ): void {
    const region = now[from]!.sends.get(id)!;
    const slot = now[to]!.slots[parity].get(id)!;
    for (let start = 0, chunk = 0; start < bytes; start += TEST_FRAMING.chunkBytes, chunk++) {
      const size = Math.min(TEST_FRAMING.chunkBytes, bytes - start);
      const source = region + start + chunk * TEST_FRAMING.headerBytes;
      arenas[to]!.bytes.set(arenas[from]!.bytes.subarray(source, source + size), slot + start);
    }
  }

  function stageInput(samples: number, seed: number, parity: 0 | 1): void {
    const imageBytes = model.input[0] * model.input[1] * model.input[2];
    const noise = new Float32Array(samples * imageBytes);
    uniform(noise, 1, seed);
    programs.forEach(({ storage }, rank) => {
      const [first, end] = plan.stages[0]!.needed[rank]![0];
      const images = arenas[rank]!.bytes.subarray(storage.images[parity]);
      for (let i = first * imageBytes; i < Math.min(end, samples) * imageBytes; i++)
        images[i - first * imageBytes] = Math.floor((noise[i]! + 1) * 127);
      const labels = new Int32Array(
        arenas[rank]!.bytes.buffer,
        arenas[rank]!.bytes.byteOffset + storage.labels[parity],
        samples,
      );
      for (let n = 0; n < samples; n++) labels[n] = (n * 7 + seed) % classes;
    });
  }

  function weights(rank: number, name: string): Float32Array {
    return floats(
      arenas[rank]!,
      programs[rank]!.storage.parameters.get(name)!,
      values.get(name)!.values.length,
    ).slice();
  }

  function momentum(name: string): Float32Array {
    const whole = new Float32Array(values.get(name)!.values.length);
    programs.forEach(({ storage }, rank) => {
      for (const { parameter, box, momentum: address } of storage.owned) {
        if (parameter.name !== name) continue;
        const row = whole.length / parameter.extent[0];
        whole.set(floats(arenas[rank]!, address, (box[0][1] - box[0][0]) * row), box[0][0] * row);
      }
    });
    return whole;
  }

  function metrics(rank: number): Float32Array {
    const { extent } = plan.parameters.find(({ name }) => name === METRICS)!;
    return floats(arenas[rank]!, programs[rank]!.storage.metrics, extent[0]).slice();
  }
}

function floats(arena: Arena, address: number, length: number): Float32Array {
  return new Float32Array(arena.bytes.buffer, arena.bytes.byteOffset + address, length);
}

/** max|a - b| / max|b|. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return scale === 0 ? difference : difference / scale;
}
