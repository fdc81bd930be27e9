import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { initialParameters } from '../../src/model/init.ts';
import type { Dataset } from '../../src/dataset/dataset.ts';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import type { TensorMap } from '../../src/training/parameters.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/training/checkpoint/safetensors.ts';
import { losses } from '../support/agreement.ts';
import { relativeError } from '../support/lockstep.ts';
import { trainInMemory, type ClusterOutcome } from '../support/memory-cluster.ts';
import { digits, randomDataset } from '../support/memory-data.ts';
import { ODD } from '../support/odd-networks.ts';
import { PYTHON, whyNoPytorch } from '../support/pytorch.ts';

const SCRIPT = fileURLToPath(new URL('./pytorch_step.py', import.meta.url));
const STEPS = [1, 5] as const;
const NORMAL = { mean: 0.1307, deviation: 0.3081 };

const reason = whyNoPytorch();

interface Compared {
  readonly what: string;
  readonly model: Model;
  readonly batch: number;
  readonly rate: number;
  readonly data: (count: number) => Promise<Dataset>;
}

interface Answer {
  readonly losses: readonly number[];
  /** Weights, and gradients of the last step as `gradient.<name>`, by number of steps. */
  readonly after: ReadonlyMap<number, TensorMap>;
}

/** Lets PyTorch train on the same images from the same weights. */
async function askPytorch({ model, batch, rate }: Compared, data: Dataset): Promise<Answer> {
  const directory = await mkdtemp(join(tmpdir(), 'mqtile-pytorch-'));
  try {
    const images = new Uint8Array(data.count * model.input.reduce((product, extent) => product * extent));
    await data.read(
      Array.from({ length: data.count }, (_, i) => i),
      images,
    );
    const initial = encodeSafetensors({ tensors: initialParameters(model, 1), metadata: {} });
    await writeFile(join(directory, 'init.safetensors'), Buffer.concat(initial));
    await writeFile(join(directory, 'model.json'), JSON.stringify(model));
    await writeFile(join(directory, 'images.bin'), images);
    await writeFile(join(directory, 'labels.bin'), data.labels);
    const ran = spawnSync(PYTHON, [SCRIPT, directory, String(batch), String(rate), ...STEPS.map(String)], {
      encoding: 'utf8',
    });
    if (ran.status !== 0) throw new Error(`pytorch_step.py failed: ${ran.stderr}`);
    const after = new Map<number, TensorMap>();
    for (const steps of STEPS) after.set(steps, await readTensors(join(directory, `after-${steps}.safetensors`)));
    return { ...(JSON.parse(ran.stdout) as { losses: number[] }), after };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function readTensors(file: string): Promise<TensorMap> {
  const content = decodeSafetensors(await readFile(file));
  if (!('tensors' in content)) throw new Error(`${file}: ${JSON.stringify(content)}`);
  return new Map([...content.tensors].map(([name, { values }]) => [name, values]));
}

/** Four nodes train on the images in the order of the file, with the optimizer of the Python script. */
async function trainTiles({ model, batch, rate }: Compared, data: Dataset): Promise<ClusterOutcome> {
  await using engine = await createEngine();
  return await trainInMemory({
    model,
    request: { grid: [2, 2] },
    devices: 4,
    train: data,
    batch,
    steps: Math.max(...STEPS),
    shuffle: false,
    rate,
    momentum: 0.9,
    weightDecay: 0.0005,
    normalization: {
      mean: Array.from({ length: model.input[0] }, () => NORMAL.mean),
      deviation: Array.from({ length: model.input[0] }, () => NORMAL.deviation),
    },
    engine: () => engine,
  });
}

/** Largest relative error over the tensors that `mine` names. */
function farthest(mine: TensorMap, theirs: TensorMap, theirName: (name: string) => string = (name) => name): number {
  return Math.max(...[...mine].map(([name, values]) => relativeError(values, theirs.get(theirName(name))!)));
}

const compared = reason === undefined ? test : test.skip;
// eslint-disable-next-line no-console -- ava prints that a test is skipped, not why
if (reason !== undefined) console.log(`comparison with PyTorch skipped: ${reason}`);

const grouped = ODD.find(({ model }) => model.name === 'grouped')!.model;
const front = zooModel('yolov2-front', [64, 64]);

const NETWORKS: readonly Compared[] = [
  { what: 'LeNet-5', model: zooModel('lenet5'), batch: 64, rate: 0.05, data: digits },
  {
    what: 'a network of dilated, grouped and depthwise convolutions',
    model: grouped,
    batch: 64,
    rate: 0.05,
    data: async (count) => randomDataset(grouped.input, 5, count),
  },
  {
    what: 'the front of YOLOv2',
    model: front,
    batch: 2,
    rate: 0.002,
    data: async (count) => randomDataset(front.input, 1, count),
  },
];

for (const network of NETWORKS) {
  const { what, model, batch, data } = network;
  const both =
    reason === undefined
      ? data(batch * Math.max(...STEPS)).then((images) =>
          Promise.all([askPytorch(network, images), trainTiles(network, images)]),
        )
      : undefined;

  compared(`${what} on 2x2 tiles takes the first step that PyTorch takes: loss, gradients and weights`, async (t) => {
    const [theirs, outcome] = await both!;
    const initial = initialParameters(model, 1);
    const { tensors } = outcome.snapshots.get(1)!;
    const weights = new Map([...tensors].filter(([name]) => !name.startsWith('momentum.')));
    // After the first step momentum is the gradient with weight decay added.
    const gradients = new Map(
      [...weights.keys()].map((name) => {
        const start = initial.get(name)!.values;
        return [name, tensors.get(`momentum.${name}`)!.map((value, i) => value - 0.0005 * start[i]!)];
      }),
    );
    const loss = relativeError([losses(outcome)[0]!], [theirs.losses[0]!]);
    const apart = farthest(gradients, theirs.after.get(1)!, (name) => `gradient.${name}`);
    const moved = farthest(weights, theirs.after.get(1)!);
    t.log(`loss ${loss.toExponential(1)}, gradients ${apart.toExponential(1)}, weights ${moved.toExponential(1)}`);
    t.true(loss <= 1e-5 && apart <= 1e-5 && moved <= 1e-5);
  });

  compared(
    `${what}, after five steps with momentum and weight decay, has the losses and weights of PyTorch`,
    async (t) => {
      const [theirs, outcome] = await both!;
      const { tensors } = outcome.snapshots.get(5)!;
      const weights = new Map([...tensors].filter(([name]) => !name.startsWith('momentum.')));
      const loss = relativeError(losses(outcome), theirs.losses);
      const moved = farthest(weights, theirs.after.get(5)!);
      t.log(`losses ${loss.toExponential(1)}, weights ${moved.toExponential(1)}`);
      t.true(loss <= 1e-5 && moved <= 5e-5);
    },
  );
}
