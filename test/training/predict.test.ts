import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { initialParameters } from '../../src/model/init.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { writeCheckpoint } from '../../src/training/checkpoint/write.ts';
import { findCheckpoint, loadPredictor } from '../../src/training/load-predictor.ts';
import { createPredictor, type PredictorOptions } from '../../src/training/predict.ts';
import { relativeError } from '../support/lockstep.ts';
import { trainInMemory } from '../support/memory-cluster.ts';
import { digits } from '../support/memory-data.ts';

const engine = await createEngine();
test.after.always(() => engine.close());

const model = zooModel('lenet5');
const normalization = { mean: [], deviation: [] };
const initial = new Map([...initialParameters(model, 1)].map(([name, { values }]) => [name, values]));
const options: PredictorOptions = { model, tensors: initial, normalization, engine };

test('a model that was trained on tiles recognises as many digits one by one as its evaluation says', async (t) => {
  const [train, held] = [await digits(1280), await digits(200)];
  const { snapshots, events } = await trainInMemory({
    model,
    request: { grid: [1, 2] },
    devices: 2,
    train,
    test: held,
    batch: 64,
    steps: 20,
    engine: () => engine,
  });
  const score = events[0]!.find((event) => event.kind === 'epoch')!;
  const predictor = await createPredictor({ ...options, tensors: snapshots.get(20)!.tensors });
  t.teardown(() => predictor.close());
  let correct = 0;
  const pixels = new Uint8Array(28 * 28);
  for (let i = 0; i < held.count; i++) {
    await held.read([i], pixels);
    const prediction = await predictor.predict(pixels);
    t.true(Math.abs(prediction.probabilities.reduce((a, b) => a + b) - 1) < 1e-12);
    if (prediction.class === held.labels[i]) correct++;
  }
  t.is(score.testAccuracy, correct / held.count);
});

test('the reference kernels say the same, and questions asked at once do not disturb each other', async (t) => {
  const data = await digits(8);
  const images = await Promise.all(
    Array.from({ length: data.count }, async (_, i) => {
      const pixels = new Uint8Array(28 * 28);
      await data.read([i], pixels);
      return pixels;
    }),
  );
  const [fast, plain] = [
    await createPredictor(options),
    await createPredictor({ ...options, engine: createReferenceEngine() }),
  ];
  const together = await Promise.all(images.map((pixels) => fast.predict(pixels)));
  for (const [i, pixels] of images.entries()) {
    const [one, other] = [together[i]!, await plain.predict(pixels)];
    t.is(one.class, other.class);
    t.true(relativeError(one.probabilities, other.probabilities) < 1e-5);
  }
  fast.close();
});

test('an image of another size is refused, and the next one is not held up', async (t) => {
  const predictor = await createPredictor(options);
  await t.throwsAsync(predictor.predict(new Uint8Array(10)), { code: 'imageSize', message: /want 1 x 28 x 28 = 784/ });
  t.is((await predictor.predict(new Uint8Array(784))).probabilities.length, 10);
  predictor.close();
});

test('a checkpoint brings its model, its weights and how its pixels were normalised', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mqtile-predict-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const content = { step: 0, epoch: 0, model, planHash: '0123456789abcdef', tensors: initialParameters(model, 1) };
  const normalize = { mean: [0.5], std: [0.25] };
  const job = { data: { normalize } };
  const file = await writeCheckpoint(directory, { ...content, job });
  const pixels = new Uint8Array(784).map((_, i) => i % 256);
  const loaded = await loadPredictor(file, engine);
  const made = await createPredictor({ ...options, normalization: { mean: [0.5], deviation: [0.25] } });
  const plain = await createPredictor(options);
  const [got, wanted] = [await loaded.predict(pixels), await made.predict(pixels)];
  t.deepEqual(got, wanted);
  t.deepEqual([loaded.file, loaded.step], [file, 0]);
  // What the first layer gets may be given as it is.
  const values = Float32Array.from(pixels, (byte) => (byte / 255 - 0.5) / 0.25);
  t.true(relativeError((await loaded.predictValues(values)).probabilities, got.probabilities) < 1e-6);
  await t.throwsAsync(loaded.predictValues(values.subarray(1)), { code: 'imageSize' });
  t.deepEqual(await loaded.predict(pixels), got);
  t.notDeepEqual(got, await plain.predict(pixels));
  for (const predictor of [loaded, made, plain]) predictor.close();
});

test('a directory stands for its newest checkpoint, a file for itself, and what is not there says so', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mqtile-predict-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const content = { epoch: 0, model, job: {}, planHash: '0', tensors: initialParameters(model, 1) };
  await t.throwsAsync(findCheckpoint(directory), {
    code: 'checkpointMissing',
    message: /holds no checkpoint; train one/,
  });
  const [early, late] = [
    await writeCheckpoint(directory, { ...content, step: 200 }),
    await writeCheckpoint(directory, { ...content, step: 1000 }),
  ];
  // Tensors without a manifest are those of a checkpoint that is being written.
  await writeFile(join(directory, 'step-002000.safetensors'), '');
  const manifest = (file: string) => file.replace('.safetensors', '.json');
  t.is(await findCheckpoint(directory), manifest(late));
  t.is(await findCheckpoint(early), manifest(early));
  t.is(await findCheckpoint(manifest(early)), manifest(early));
  const absent = join(directory, 'absent');
  await t.throwsAsync(findCheckpoint(absent), { code: 'checkpointMissing', message: /absent: does not exist/ });
  await t.throwsAsync(findCheckpoint(join(directory, 'step-002000.safetensors')), {
    code: 'checkpointMissing',
    message: /is no checkpoint: .*step-002000\.json does not exist/,
  });
});

test('a model without classes is refused', async (t) => {
  await t.throwsAsync(createPredictor({ ...options, model: { ...model, loss: 'meanSquares' } }), {
    code: 'notAClassifier',
  });
});
