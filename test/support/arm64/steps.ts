/**
 * A few training steps of several networks, each on four devices, with the CPU that this runs on:
 *
 *     node steps.ts MODE THREADS FILE
 *
 * In mode fast every convolution has wide register tiles, and Winograd's algorithm where it can. FILE, in the format safetensors, gets
 * weights and momentum of each network after its first and its last step. After the first step momentum is the gradient.
 */

import { writeFile } from 'node:fs/promises';
import type { KernelMode } from '../../../src/kernels/loader.ts';
import { createEngine } from '../../../src/kernels/wasm-engine.ts';
import type { TensorValues } from '../../../src/model/parameters.ts';
import { zooModel } from '../../../src/model/zoo.ts';
import { encodeSafetensors } from '../../../src/training/checkpoint/safetensors.ts';
import { fastKernels } from '../kernel-plans.ts';
import { trainInMemory } from '../memory-cluster.ts';
import { digits, randomDataset } from '../memory-data.ts';
import { ODD } from '../odd-networks.ts';

const STEPS = 2;
const BATCH = 5;
const DEVICES = 4;

const [mode, threads, file] = process.argv.slice(2) as [KernelMode, string, string];
const wide = Array.from({ length: DEVICES }, () => true);

const networks = [
  { model: zooModel('lenet5'), rate: 0.02, seed: 3, train: await digits(STEPS * BATCH) },
  ...ODD.map(({ model, rate, seed }) => ({ model, rate, seed, train: randomDataset(model.input, 3, STEPS * BATCH) })),
];

await using engine = await createEngine({ threads: Number(threads), partNanoseconds: 0 });
const tensors = new Map<string, TensorValues>();
for (const network of networks) {
  const { snapshots } = await trainInMemory({
    ...network,
    request: { grid: [2, 2] },
    devices: DEVICES,
    kernels: mode === 'strict' ? { mode } : fastKernels(network.model, wide, 'winograd'),
    batch: BATCH,
    steps: STEPS,
    engine: () => engine,
  });
  for (const step of [1, STEPS]) {
    for (const [name, values] of snapshots.get(step)!.tensors)
      tensors.set(`${network.model.name}/${step}/${name}`, { shape: [values.length], values });
  }
}
await writeFile(file, Buffer.concat(encodeSafetensors({ tensors, metadata: { cpu: process.arch } })));
