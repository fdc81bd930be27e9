import { copyFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { initialParameters } from '../../src/model/init.ts';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { writeCheckpoint } from '../../src/training/checkpoint/write.ts';
import { runCommand } from '../support/command.ts';
import { freePorts } from '../support/daemons.ts';
import { digitsJob, someDigits, writeJob, type Digits } from '../support/digits.ts';
import { idxBytes, temporaryDirectory } from '../support/idx.ts';
import { snapshot } from '../support/snapshot.ts';

let home: string;
let digits: Digits;

const LENET5 = zooModel('lenet5');

/** LeNet-5's input and outputs, another shape inside. */
const OTHER: Model = {
  name: 'other',
  input: [1, 28, 28],
  layers: [{ kind: 'flatten' }, { kind: 'dense', name: 'fc', units: 10, activation: { kind: 'identity' } }],
  loss: 'softmaxCrossEntropy',
};

test.before(async () => {
  home = await temporaryDirectory();
  digits = await someDigits(home, 128, 64);
  await damageDigits();
  for (const name of ['cut', 'foreign', 'empty-run']) await mkdir(join(home, name));
  const content = { step: 20, epoch: 0, job: {}, planHash: '0' };
  const cut = await writeCheckpoint(join(home, 'cut'), {
    ...content,
    model: LENET5,
    tensors: initialParameters(LENET5, 1),
  });
  await copyFile(cut, join(home, 'cut-init.safetensors'));
  await truncate(cut, 1000);
  await truncate(join(home, 'cut-init.safetensors'), 1000);
  const foreign = await writeCheckpoint(join(home, 'foreign'), {
    ...content,
    model: OTHER,
    tensors: initialParameters(OTHER, 1),
  });
  await copyFile(foreign, join(home, 'foreign-init.safetensors'));
});

test.after.always(() => rm(home, { recursive: true, force: true }));

/** Files beside the good ones, each wrong in one way. */
async function damageDigits(): Promise<void> {
  const images = await readFile(digits.images);
  const labels = await readFile(digits.labels);
  const write = (name: string, bytes: Uint8Array) => writeFile(join(home, name), bytes);
  await write('short', images.subarray(0, 50_000));
  await write('long', Buffer.concat([images, Buffer.alloc(7)]));
  await write('corrupt', Buffer.concat([Buffer.from([9]), images.subarray(1)]));
  await write('gzipped', gzipSync(images));
  await write('label-12', Buffer.concat([labels.subarray(0, 8 + 5), Buffer.from([12]), labels.subarray(8 + 6)]));
  await write('nothing', idxBytes([0, 28, 28], Buffer.alloc(0)));
  await write('no-labels', idxBytes([0], Buffer.alloc(0)));
  await write('few-labels', idxBytes([100], labels.subarray(8, 108)));
}

const dense = (more: object) => ({ dense: { name: 'fc', units: 10, ...more } });

/** A model in place. */
const model = (...layers: readonly object[]) => ({
  model: { input: [1, 28, 28], loss: 'softmaxCrossEntropy', layers },
});

interface Case {
  /** What is wrong. */
  readonly what: string;
  /** Keys that differ from a good job, or the whole file. */
  readonly job?: Readonly<Record<string, unknown>> | string | (() => Record<string, unknown>);
  /** Instead of `train JOB --local 4`. */
  readonly args?: readonly string[];
  readonly says: RegExp;
}

const data = (key: string, name: string) => () => ({ data: { kind: 'idx', ...digits, [key]: join(home, name) } });

const CASES: readonly Case[] = [
  {
    what: 'a layer that there is not',
    job: model({ convolution: { name: 'a', filters: 2, kernel: 3 } }, { flatten: {} }, dense({})),
    says: /job\.yaml: model\.layers\[0\].*convolution.*conv2d/,
  },
  {
    what: 'a key that there is not',
    job: { batchs: 64 },
    says: /job\.yaml: batchs: is not a key here; did you mean batch\?/,
  },
  {
    what: 'a key of a layer that there is not',
    job: model({ conv2d: { name: 'a', filters: 2, kernel: 3, paddding: 1 } }, { flatten: {} }, dense({})),
    says: /job\.yaml: model\.layers\[0\]\.conv2d\.paddding: is not a key here; did you mean padding\?/,
  },
  {
    what: 'shapes that do not fit',
    job: model({ conv2d: { name: 'a', filters: 2, kernel: 3 } }, dense({})),
    says: /job\.yaml: model\.layers\[1\]\.dense \(fc\): wants a vector, got 2x26x26; put a flatten layer before it/,
  },
  {
    what: 'a grid finer than the feature map',
    args: ['--local', '16', '--grid', '1x16'],
    says: /job\.yaml: plan\..*16/,
  },
  { what: 'a grid for another number of nodes', args: ['--local', '3'], says: /job\.yaml: plan\..*2x2.*3/ },
  { what: 'a plan that is still to come', job: { plan: 'auto' }, says: /job\.yaml: plan: "auto" is still to come/ },
  { what: 'an unknown mode', job: { mode: 'exact' }, says: /job\.yaml: mode: got "exact", want fast or strict/ },
  {
    what: 'a model that there is not',
    job: { model: 'lenet6' },
    says: /job\.yaml: model: got the model "lenet6", which is not known; today: lenet5/,
  },
  {
    what: 'images that are cut short',
    job: data('images', 'short'),
    says: /job\.yaml: data\.images: .*short is cut short: got 50000 bytes.* wants 100368/,
  },
  {
    what: 'images with bytes too many',
    job: data('images', 'long'),
    says: /data\.images: .*long is too long: got 100375 bytes/,
  },
  {
    what: 'images that are none',
    job: data('testImages', 'corrupt'),
    says: /data\.testImages: .*begins with 09000803, want 00000803/,
  },
  {
    what: 'images that are compressed',
    job: data('images', 'gzipped'),
    says: /data\.images: .*is compressed: gunzip it first/,
  },
  {
    what: 'a label outside the classes',
    job: data('labels', 'label-12'),
    says: /data\.labels: .*label 12 at position 5.*0 to 9/,
  },
  { what: 'an empty data set', job: data('images', 'nothing'), says: /data\.images: .*nothing holds nothing/ },
  { what: 'no labels', job: data('labels', 'no-labels'), says: /data\.labels: .*holds nothing/ },
  {
    what: 'fewer labels than images',
    job: data('labels', 'few-labels'),
    says: /data\.labels: .*holds 100 labels.*128 images/,
  },
  {
    what: 'files that are not there',
    job: data('testLabels', 'absent'),
    says: /data\.testLabels: .*absent does not exist/,
  },
  {
    what: 'a checkpoint that is cut short',
    job: { checkpoint: { directory: 'cut' } },
    args: ['--local', '4', '--resume'],
    says: /job\.yaml: checkpoint\.directory: .*step-000020\.safetensors: is cut short: got 1000 bytes/,
  },
  {
    what: 'a checkpoint of another model',
    job: { checkpoint: { directory: 'foreign' } },
    args: ['--local', '4', '--resume'],
    says: /job\.yaml: checkpoint\.directory: .*step-000020\.safetensors: is of another model \(other\)/,
  },
  {
    what: 'a checkpoint of the other mode',
    job: { mode: 'fast', checkpoint: { directory: 'foreign' } },
    args: ['--local', '4', '--resume'],
    says: /job\.yaml: checkpoint\.directory: holds a run of mode strict, the job is of mode fast; say mode: strict /,
  },
  {
    what: 'nothing to resume',
    job: { checkpoint: { directory: 'empty-run' } },
    args: ['--local', '4', '--resume'],
    says: /job\.yaml: checkpoint\.directory: .*empty-run: holds no checkpoint to go on from/,
  },
  {
    what: 'weights that are cut short',
    job: { init: 'cut-init.safetensors' },
    says: /job\.yaml: init: .*cut-init\.safetensors: is cut short: conv1\.weight ends at byte 600 of the data, got 216/,
  },
  {
    what: 'weights of another model',
    job: { init: 'foreign-init.safetensors' },
    says: /job\.yaml: init: .*foreign-init\.safetensors: is of another model: conv1\.weight is not there/,
  },
  {
    what: 'weights that are not there',
    job: { init: 'absent.safetensors' },
    says: /job\.yaml: init: .*absent\.safetensors: does not exist/,
  },
  { what: 'bad YAML', job: 'model: [lenet5\nbatch: 64\n', says: /job\.yaml: is not valid YAML: .*line/ },
  { what: 'an empty file', job: '', says: /job\.yaml: is missing, want a block|job\.yaml: got null, want a block/ },
  { what: 'an option that there is not', args: ['--locall', '4'], says: /--locall/ },
  { what: 'no steps', args: ['--local', '4', '--steps', '0'], says: /--steps: got 0, want a whole number from 1 up/ },
  { what: 'no nodes', args: ['--local', '0'], says: /--local: got 0, want a whole number from 1 up/ },
  {
    what: 'a grid that is none',
    args: ['--local', '4', '--grid', '2by2'],
    says: /--grid: got "2by2", want rows x columns/,
  },
];

for (const { what, job = {}, args = ['--local', '4'], says } of CASES) {
  test.serial(`train refuses ${what} with one line and touches nothing`, async (t) => {
    const keys = typeof job === 'function' ? job() : job;
    const content = typeof keys === 'string' ? keys : digitsJob(digits, keys);
    const path = await writeJob(home, content);
    await refuses(t, ['train', path, ...args], says);
  });
}

const COMMANDS: readonly { readonly what: string; readonly args: readonly string[]; readonly says: RegExp }[] = [
  {
    what: 'a job file that is not there',
    args: ['train', 'absent.yaml', '--local', '4'],
    says: /absent\.yaml: does not exist/,
  },
  { what: 'no job file', args: ['train', '--local', '4'], says: /the job file is missing/ },
  { what: 'a command that there is not', args: ['trian'], says: /got the command trian, want one of train, / },
  { what: 'a command that is still to come', args: ['simulate'], says: /mqtile simulate is still to come/ },
  { what: 'a node without its file', args: ['node'], says: /--config: is missing/ },
  {
    what: 'a node whose file is not there',
    args: ['node', '--config', 'absent.yaml'],
    says: /absent\.yaml: does not exist/,
  },
  { what: 'a plan of a job that is not there', args: ['plan', 'absent.yaml'], says: /absent\.yaml: does not exist/ },
  {
    what: 'two ways to train at once',
    args: ['train', 'good.yaml', '--local', '4', '--broker', 'mqtt://127.0.0.1'],
    says: /--broker and --cluster/,
  },
  {
    what: 'a broker that is no URL',
    args: ['train', 'good.yaml', '--broker', 'pi1'],
    says: /--broker: got pi1, want .*mqtt:\/\//,
  },
  {
    what: 'a mode of a benchmark that there is not',
    args: ['bench', 'step', '--mode', 'exact'],
    says: /--mode: got exact, want strict or fast/,
  },
  {
    what: 'strips of a step that keeps everything',
    args: ['bench', 'step', '--strips', '4'],
    says: /--strips: wants --recompute too/,
  },
  {
    what: 'stages of a benchmark that leave layers out',
    args: ['bench', 'step', '--stages', '4,8'],
    says: /plan\.stages\[0\]\.layers: got \[4, 8\], want \[0, n\]/,
  },
  {
    what: 'an option that another benchmark has',
    args: ['bench', 'kernels', '--size', '416'],
    says: /--size: belongs to mqtile bench step, not to kernels/,
  },
  {
    what: 'a benchmark that there is not',
    args: ['bench', 'everything'],
    says: /got everything, want kernels, step or transport/,
  },
  {
    what: 'a drawing that cannot be written',
    args: ['plan', 'good.yaml', '--svg', 'absent/plan.svg'],
    says: /--svg: absent\/plan\.svg cannot be written/,
  },
];

for (const { what, args, says } of COMMANDS) {
  test.serial(`the command refuses ${what} with one line and touches nothing`, async (t) => {
    await writeJob(home, digitsJob(digits), 'good.yaml');
    await refuses(t, args, says);
  });
}

test.serial('nobody at the broker is one line that says what to start', async (t) => {
  const [port] = await freePorts(1);
  await writeJob(home, digitsJob(digits), 'good.yaml');
  const says = new RegExp(`no node answers at mqtt://127\\.0\\.0\\.1:${port} .*mqtile node --config`);
  await refuses(t, ['train', 'good.yaml', '--broker', `mqtt://127.0.0.1:${port}`], says);
});

/** Exit code 2, one line on standard error, nothing on standard output, nothing changed in the folder. */
async function refuses(t: ExecutionContext, args: readonly string[], says: RegExp): Promise<void> {
  const before = await snapshot(home);
  const { code, stdout, stderr } = await runCommand(t, args, { cwd: home });
  t.is(code, 2, stderr);
  t.is(stdout, '');
  t.is(stderr.split('\n').length, 2, stderr);
  t.regex(stderr, /^mqtile: /);
  t.regex(stderr, says);
  t.deepEqual(await snapshot(home), before);
}
