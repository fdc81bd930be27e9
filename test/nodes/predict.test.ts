import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createEngine, loadPredictor } from '../../src/index.ts';
import { initialParameters } from '../../src/model/init.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { writeCheckpoint } from '../../src/training/checkpoint/write.ts';
import { Tensor } from '../../src/tensor/handle.ts';
import { scratch } from '../support/digits.ts';
import { greyPng, jpegOf, paint } from '../support/images.ts';
import { startRuntime, type Runtime } from '../support/node-red.ts';
import { testDigits } from '../support/trained.ts';

const [digit] = await testDigits(1);
const { pixels } = digit!;
const model = zooModel('lenet5');

/** A checkpoint of LeNet-5 that has not learnt anything. @returns its file */
function checkpoint(directory: string, step: number, seed = step): Promise<string> {
  const tensors = initialParameters(model, seed);
  return writeCheckpoint(directory, { step, epoch: 0, model, job: {}, planHash: '0', tensors });
}

interface Fields {
  readonly checkpoint: string;
  readonly invert?: boolean;
  readonly top?: string;
}

function flow(fields: Fields): readonly object[] {
  const place = { z: 'tab', x: 100, y: 100 };
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    {
      id: 'predict',
      type: 'mqtile-predict',
      top: '3',
      invert: false,
      fit: 'stretch',
      ...fields,
      ...place,
      wires: [['answers']],
    },
    { id: 'answers', type: 'helper', ...place },
    { id: 'catch', type: 'catch', scope: null, uncaught: false, ...place, wires: [['errors']] },
    { id: 'errors', type: 'helper', ...place },
  ];
}

interface Payload {
  readonly class: number;
  readonly probability: number;
  readonly probabilities: readonly number[];
  readonly top: readonly { readonly class: number; readonly probability: number }[];
  readonly ms: number;
}

/** Shows the node an image and waits for what comes of it. */
async function ask(
  runtime: Runtime,
  message: Record<string, unknown>,
): Promise<Record<string, unknown> & { payload: Payload }> {
  const [answers, errors] = [runtime.messages('answers').length, runtime.messages('errors').length];
  runtime.inject('predict', message);
  return runtime.until(() => {
    const error = runtime.messages('errors')[errors];
    if (error) throw Object.assign(new Error('the node reports an error'), { caught: error['error'] });
    return runtime.messages('answers')[answers] as (Record<string, unknown> & { payload: Payload }) | undefined;
  });
}

async function refusal(t: ExecutionContext, runtime: Runtime, message: Record<string, unknown>) {
  const error = await t.throwsAsync<Error & { caught: { message: string; code: string; source: { id: string } } }>(
    ask(runtime, message),
  );
  return error.caught;
}

async function started(t: ExecutionContext, folder: string, fields: Fields): Promise<Runtime> {
  const runtime = await startRuntime(t, { userDir: folder });
  await runtime.load(flow(fields));
  return runtime;
}

test.serial('an image in any of its forms gets the probabilities that loadPredictor gives', async (t) => {
  const folder = await scratch(t);
  const file = await checkpoint(join(folder, 'runs'), 938);
  await writeFile(join(folder, 'digit.png'), greyPng(pixels));
  const engine = await createEngine();
  const predictor = await loadPredictor(file, engine);
  const wanted = await predictor.predict(pixels);
  await engine.close();
  const runtime = await started(t, folder, { checkpoint: 'runs' });
  await runtime.status('predict', ({ text }) => text === 'ready: step-000938');
  const values = Float32Array.from(pixels, (byte) => byte / 255);
  const box = [
    [0, 1],
    [0, 1],
    [0, 28],
    [0, 28],
  ] as const;
  const forms: Record<string, unknown> = {
    buffer: greyPng(pixels),
    path: 'digit.png',
    'data URL': `data:image/png;base64,${greyPng(pixels).toString('base64')}`,
    'larger image': greyPng(
      Uint8Array.from({ length: 56 * 56 }, (_, i) => pixels[Math.floor(i / 112) * 28 + (Math.floor(i / 2) % 28)] ?? 0),
      [56, 56],
    ),
    bytes: Uint8Array.from(pixels),
    array: Array.from({ length: 28 }, (_, y) => [...pixels.subarray(28 * y, 28 * (y + 1))]),
    floats: values,
    tensor: new Tensor({ run: 'r', iteration: 1, step: 1, stage: 0, box }, () => values),
  };
  for (const [what, payload] of Object.entries(forms)) {
    const answer = await ask(runtime, { payload, topic: 'a digit', visitor: 7 });
    t.deepEqual(answer.payload.probabilities, wanted.probabilities, what);
    t.is(answer.payload.class, wanted.class);
    t.is(answer.payload.probability, wanted.probabilities[wanted.class]!);
    t.deepEqual(
      [answer['topic'], answer['visitor'], answer['mqtile']],
      ['a digit', 7, { step: 938, phase: 'predict' }],
    );
    t.is(answer.payload.top.length, 3);
    t.deepEqual(answer.payload.top[0], { class: wanted.class, probability: answer.payload.probability });
    const { text, fill } = runtime.statuses.get('predict')!;
    t.regex(text!, new RegExp(`^step 938 · ${wanted.class} \\(\\d+\\.\\d %\\) · \\d+\\.\\d ms$`));
    t.is(fill, 'green');
  }
});

test.serial('invert of the dialog, or of a message, turns dark into light', async (t) => {
  const folder = await scratch(t);
  await checkpoint(folder, 1);
  const runtime = await started(t, folder, { checkpoint: '.', invert: true });
  const paper = greyPng(Uint8Array.from(pixels, (byte) => 255 - byte));
  const plain = await ask(runtime, { payload: greyPng(pixels), invert: false });
  t.deepEqual((await ask(runtime, { payload: paper })).payload.probabilities, plain.payload.probabilities);
  t.notDeepEqual(
    (await ask(runtime, { payload: paper, invert: false })).payload.probabilities,
    plain.payload.probabilities,
  );
});

test.serial('many images at once are answered in their order', async (t) => {
  const folder = await scratch(t);
  await checkpoint(folder, 1);
  const runtime = await started(t, folder, { checkpoint: '.' });
  const photo = jpegOf(
    paint(200, 150, (x, y) => [x, y, 90, 255]),
    [200, 150],
  );
  const payloads = Array.from({ length: 12 }, (_, i) => (i % 4 === 0 ? photo : greyPng(pixels)));
  payloads.forEach((payload, number) => runtime.inject('predict', { payload, number }));
  await runtime.message('answers', 11);
  t.deepEqual(
    runtime.messages('answers').map(({ number }) => number),
    payloads.map((_, i) => i),
  );
});

test.serial('the node follows its directory: none, a first, a newer, an unreadable one, and none again', async (t) => {
  const folder = await scratch(t);
  const runs = join(folder, 'runs');
  const runtime = await started(t, folder, { checkpoint: 'runs' });
  await runtime.status('predict', ({ fill, text }) => fill === 'grey' && text === 'no checkpoint yet');
  const missing = await refusal(t, runtime, { payload: greyPng(pixels) });
  t.is(missing.code, 'checkpointMissing');
  t.regex(missing.message, /runs: does not exist; train one first/);
  t.is(missing.source.id, 'predict');
  t.is(runtime.statuses.get('predict')!.fill, 'red');

  const step = async () => {
    const { mqtile, payload } = await ask(runtime, { payload: greyPng(pixels) });
    return {
      ...(mqtile as { step: number }),
      first: payload.probabilities[0]!,
      fill: runtime.statuses.get('predict')!.fill,
    };
  };
  await checkpoint(runs, 200);
  const first = await step();
  t.deepEqual([first.step, first.fill], [200, 'green']);
  await checkpoint(runs, 400);
  const second = await step();
  t.is(second.step, 400);
  t.not(second.first, first.first);
  // Another run writes the same step anew.
  await checkpoint(runs, 400, 7);
  t.not((await step()).first, second.first);
  await truncate(await checkpoint(runs, 600), 1000);
  const stale = await step();
  t.deepEqual([stale.step, stale.fill], [400, 'yellow']);
  await checkpoint(runs, 600);
  t.deepEqual(await step().then(({ step, fill }) => [step, fill]), [600, 'green']);
  await rm(runs, { recursive: true });
  t.deepEqual(await step().then(({ step, fill }) => [step, fill]), [600, 'yellow']);
});

test.serial(
  'what is no image, or does not fit the model, reaches Catch nodes, and the next image is answered',
  async (t) => {
    const folder = await scratch(t);
    await checkpoint(folder, 1);
    await mkdir(join(folder, 'photos'));
    const runtime = await started(t, folder, { checkpoint: '.' });
    const png = greyPng(pixels);
    const cases: readonly (readonly [payload: unknown, code: string, says: RegExp])[] = [
      [png.subarray(0, 60), 'imageInvalid', /msg\.payload: is a damaged PNG file/],
      ['absent.png', 'imageMissing', /absent\.png: does not exist/],
      ['photos', 'imageMissing', /photos: is no file/],
      ['/dev/zero', 'imageMissing', /is no file/],
      [Uint8Array.of(1, 2, 3), 'imageSize', /got an image of 3 values, want 1 x 28 x 28 = 784/],
      [new Float32Array(64 * 784), 'imageSize', /want 1 x 28 x 28 = 784/],
      [{ image: 'seven' }, 'imageInvalid', /got Object, want a PNG or JPEG/],
    ];
    for (const [payload, code, says] of cases) {
      const error = await refusal(t, runtime, { payload });
      t.is(error.code, code);
      t.regex(error.message, says);
      t.is(runtime.statuses.get('predict')!.fill, 'red');
    }
    t.is((await ask(runtime, { payload: png })).payload.probabilities.length, 10);
  },
);

test.serial('a node without a checkpoint’s path says so, and deploys come and go', async (t) => {
  const folder = await scratch(t);
  await checkpoint(folder, 1);
  const runtime = await started(t, folder, { checkpoint: '' });
  t.is((await refusal(t, runtime, { payload: greyPng(pixels) })).code, 'checkpointMissing');
  for (let round = 0; round < 3; round++) {
    await runtime.deploy(flow({ checkpoint: '.' }));
    t.is((await ask(runtime, { payload: greyPng(pixels) })).payload.probabilities.length, 10);
  }
});
