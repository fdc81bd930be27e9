import { readFile } from 'node:fs/promises';
import test from 'ava';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { LABELS, jobFieldsOf, type OwnFields } from '../../../nodes/job/fields.ts';
import { jobText } from '../../../nodes/job/job-text.ts';
import { submissionOf } from '../../../nodes/job/submission.ts';
import { InputError, jobOf, parseJob, planHashOf, planOf, type Job, type MqtileError } from '../../../src/index.ts';

const CHOICE = { resume: false, writers: 'all' } as const;

/** As the dialog stores a new node. */
const FIELDS = {
  source: 'fields',
  jobName: 'digits',
  model: 'lenet5',
  images: 'train-images',
  labels: 'train-labels',
  testImages: 'test-images',
  testLabels: 'test-labels',
  batch: '64',
  epochs: '1',
  steps: '',
  rate: '0.05',
  decay: 'none',
  momentum: '0.9',
  weightDecay: '0',
  seed: '1',
  shuffle: true,
  mode: 'fast',
  grid: '2x2',
  everySteps: '',
  directory: '',
  init: '',
};

const FILE = {
  name: 'digits',
  model: 'lenet5',
  data: {
    kind: 'idx',
    images: 'train-images',
    labels: 'train-labels',
    testImages: 'test-images',
    testLabels: 'test-labels',
  },
  batch: 64,
  epochs: 1,
  optimizer: { kind: 'sgd', rate: 0.05, momentum: 0.9 },
  plan: { grid: '2x2' },
};

const MODEL = {
  input: [1, 28, 28],
  loss: 'softmaxCrossEntropy',
  layers: [{ flatten: {} }, { dense: { name: 'fc1', units: 10 } }],
};

const pairs: readonly (readonly [what: string, fields: object, file: object])[] = [
  ['the defaults', {}, {}],
  ['steps instead of epochs', { epochs: '', steps: '20' }, { epochs: undefined, steps: 20 }],
  [
    'everything said',
    {
      rate: '1e-2',
      decay: 'linear',
      momentum: '',
      weightDecay: '.0005',
      seed: '7',
      shuffle: false,
      mode: 'strict',
      everySteps: '50',
      directory: 'kept',
      init: 'w.safetensors',
    },
    {
      optimizer: { rate: 0.01, decay: 'linear', weightDecay: 0.0005 },
      seed: 7,
      shuffle: false,
      mode: 'strict',
      checkpoint: { everySteps: 50, directory: 'kept' },
      init: 'w.safetensors',
    },
  ],
  [
    'no test set',
    { testImages: '', testLabels: '' },
    { data: { kind: 'idx', images: 'train-images', labels: 'train-labels' } },
  ],
  ['a model in YAML', { model: stringify(MODEL) }, { model: MODEL }],
  ['a model in JSON of several lines', { model: JSON.stringify(MODEL, undefined, 2) }, { model: MODEL }],
  ['numbers, as a program may write them', { batch: 64, grid: '1x1' }, { plan: { grid: '1x1' } }],
];

function hashOf(job: Job): string {
  const tiles = 'grid' in job.plan ? job.plan.grid[0] * job.plan.grid[1] : 1;
  return planHashOf(
    job,
    planOf(
      job,
      Array.from({ length: tiles }, (_, rank) => `node${rank + 1}`),
    ),
  );
}

for (const [what, fields, file] of pairs) {
  test(`fields and a file that say the same are one job with one plan: ${what}`, async (t) => {
    const submission = await submissionOf(jobFieldsOf({ ...FIELDS, ...fields }), '/home/pi/.node-red', CHOICE);
    const byFields = jobOf(submission);
    const byFile = parseJob(stringify({ ...FILE, ...file }), '/home/pi/.node-red', 'digits.yaml');
    t.deepEqual(byFields, byFile);
    t.is(hashOf(byFields), hashOf(byFile));
  });
}

const mistakes: readonly (readonly [fields: object, says: string])[] = [
  [{ jobName: '' }, "Job's name: is empty, want "],
  [{ jobName: 'My Job' }, 'Job\'s name: got "My Job", want '],
  [{ model: '' }, 'Model: is missing, want '],
  [{ model: 'lenet6' }, 'Model: '],
  [{ model: 'input: [1, 2' }, 'Model: is not valid YAML'],
  [
    { model: stringify({ ...MODEL, layers: [{ flatten: {} }, { dense: { name: 'fc1', units: 0 } }] }) },
    'Model: layers[1].dense.units: got 0, want ',
  ],
  [{ images: '' }, 'Images: is missing, want '],
  [{ testLabels: '' }, 'Test labels: is missing, want it beside Test images'],
  [{ batch: '' }, 'Batch: is missing, want '],
  [{ batch: 'many' }, 'Batch: got "many", want '],
  [{ epochs: '' }, 'Epochs: is missing, want '],
  [{ steps: '5' }, 'Steps: got both '],
  [{ rate: '-1' }, 'Rate: got -1, want '],
  [{ rate: '' }, 'Rate: is missing, want '],
  [{ decay: 'cosine' }, 'Decay: got "cosine", want '],
  [{ momentum: '1' }, 'Momentum: got 1, want '],
  [{ weightDecay: 'x' }, 'Weight decay: got "x", want '],
  [{ seed: '1.5' }, 'Seed: got 1.5, want '],
  [{ grid: '' }, 'Grid: is empty, want '],
  [{ grid: '2' }, 'Grid: got "2", want '],
  [{ everySteps: '0' }, 'Checkpoint every: got 0, want '],
];

for (const [fields, says] of mistakes) {
  test(`a mistake in ${JSON.stringify(fields)} is named as the dialog calls the field`, async (t) => {
    const error = await t.throwsAsync<MqtileError>(
      submissionOf(jobFieldsOf({ ...FIELDS, ...fields }), '/home/pi', CHOICE),
    );
    t.regex(error.code, /^(keyInvalid|yamlInvalid|unknownModel)$/);
    t.true(error.message.startsWith(says), error.message);
  });
}

test('what is typed into a field stays in that field', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a\nsteps: 7', '---\nseed: 9', '"', '}\nbatch: 1', '# x'),
  );
  fc.assert(
    fc.property(text, fc.constantFrom('images', 'directory', 'init', 'model'), (typed, field) => {
      const fields = jobFieldsOf({ ...FIELDS, [field]: typed }) as OwnFields;
      try {
        const job = parseJob(jobText(fields), '/home/pi', 'digits');
        t.is(job.batch, 64);
        t.is(job.seed, 1);
        t.deepEqual(job.until, { epochs: 1 });
      } catch (error) {
        t.true(error instanceof InputError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('fields of a flow from before there was a choice name a file', (t) => {
  t.deepEqual(jobFieldsOf({ path: ' flows/a.yaml ', grid: '1x2', steps: '' }), {
    source: 'file',
    path: 'flows/a.yaml',
    grid: '1x2',
    steps: '',
  });
});

test('errors and the dialog call the fields by the same names', async (t) => {
  const path = new URL('../../../nodes/locales/en-US/mqtile-job.json', import.meta.url);
  const catalogue = JSON.parse(await readFile(path, 'utf8')) as { 'mqtile-job': { label: Record<string, string> } };
  for (const [field, label] of Object.entries(LABELS)) t.is(catalogue['mqtile-job'].label[field], label);
});
