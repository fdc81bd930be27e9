import test from 'ava';
import { openDataset } from '../../src/dataset/open-dataset.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { distance, formatDistance, losses } from '../support/agreement.ts';
import { trainInMemory } from '../support/memory-cluster.ts';

const MODEL = zooModel('yolov2-front', [64, 64]);
const STEPS = 3;

test('the front of YOLOv2 trains on noise in 2x2 tiles as on one device, its loss falling', async (t) => {
  await using engine = await createEngine();
  await using train = await openDataset({ kind: 'random', count: 8, seed: 1 }, { classes: 256, shape: MODEL.input });
  const run = (rows: number) =>
    trainInMemory({
      model: MODEL,
      request: { grid: [rows, rows] },
      devices: rows ** 2,
      train,
      batch: 2,
      steps: STEPS,
      rate: 0.01,
      engine: () => engine,
    });
  const [alone, tiled] = [await run(1), await run(2)];
  const apart = distance(tiled, alone);
  t.log(formatDistance(apart));
  t.true(apart.loss <= 5e-6 && apart.gradients <= 5e-6 && apart.weights <= 1e-5);
  const [first, , last] = losses(tiled);
  t.true(last! < first!);
});
