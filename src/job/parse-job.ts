/** parseJob: a job file becomes a Job, with every default filled in and every path absolute, or an error of one line. */

import { basename, extname, resolve } from 'node:path';
import * as v from 'valibot';
import { InputError } from '../errors.ts';
import type { Model } from '../model/layers.ts';
import { activationShapes } from '../model/shapes.ts';
import type { Job, JobData, Normalisation } from './job.ts';
import { modelSchema } from './model-schema.ts';
import { planSchema } from './plan-schema.ts';
import {
  choose,
  list,
  naming,
  object,
  parseFile,
  real,
  refuse,
  stillToCome,
  text,
  topicName,
  whole,
  type Schema,
} from './schema.ts';

const LARGEST = Number.MAX_SAFE_INTEGER;

/** How often checkpoints are written where the job says nothing. */
const CHECKPOINT_STEPS = 200;

const path = text('the path of a file', /./);

/** Batches in an epoch of random data. */
const RANDOM_BATCHES = 64;

const normalize = v.optional(
  object({
    mean: perChannel('a number', () => true),
    std: perChannel('a number above 0', (value) => value > 0),
  }),
);

const idx = object({
  kind: v.literal('idx', 'idx'),
  images: path,
  labels: path,
  testImages: v.optional(path),
  testLabels: v.optional(path),
  normalize,
});

const random = object({
  kind: v.literal('random', 'random'),
  size: list(whole(1, 65_536), '[rows, columns], e.g. [416, 416]', { length: 2 }),
  normalize,
});

const KINDS = 'idx or random';

/** Some other kind, or none: refused, whatever keys stand beside it. */
const otherKind: Schema<never> = v.pipe(
  v.looseObject(
    { kind: choose(KINDS, (input) => (input === 'folder' ? stillToCome('idx, random') : refuse(KINDS))) },
    KINDS,
  ),
  v.transform(({ kind }): never => kind),
);

type DataFile = v.InferOutput<typeof idx> | v.InferOutput<typeof random>;

const data = choose<DataFile>(`a block with a kind: ${KINDS}`, (input) => {
  if (typeof input !== 'object' || input === null) return refuse(`a block with a kind: ${KINDS}`);
  const kind = 'kind' in input ? input.kind : undefined;
  if (kind === 'random') return random;
  return kind === 'idx' ? idx : otherKind;
});

const optimizer = object({
  kind: v.optional(v.literal('sgd', 'sgd'), 'sgd'),
  rate: real('a number above 0', (value) => value > 0),
  decay: v.optional(v.picklist(['none', 'linear'], 'none or linear'), 'none'),
  momentum: v.optional(
    real('a number from 0 to below 1', (value) => value >= 0 && value < 1),
    0,
  ),
  weightDecay: v.optional(
    real('a number, 0 or more', (value) => value >= 0),
    0,
  ),
});

const jobFile = object({
  name: v.optional(topicName()),
  model: modelSchema,
  data,
  batch: whole(1, 65_536),
  epochs: v.optional(whole(1, 1_000_000)),
  steps: v.optional(whole(1, LARGEST)),
  optimizer,
  seed: v.optional(whole(0, LARGEST), 1),
  shuffle: v.optional(v.boolean('true or false'), true),
  mode: v.optional(v.picklist(['fast', 'strict'], 'fast or strict'), 'fast'),
  plan: planSchema,
  checkpoint: v.optional(object({ everySteps: v.optional(whole(1, LARGEST)), directory: v.optional(path) }), {}),
  init: v.optional(path),
});

type JobFile = v.InferOutput<typeof jobFile>;

/**
 * @param content YAML
 * @param baseDirectory folder that relative paths start from: that of the job file
 * @param source the job file's name in messages; also the job's name where it has none
 * @throws {InputError} `yamlInvalid`, `keyInvalid`, `stillToCome`, `unknownModel`, `shapeMismatch`
 */
export function parseJob(content: string, baseDirectory: string, source: string): Job {
  const file = parseFile(content, source, jobFile);
  return naming(source, () => {
    const { size } = { size: undefined, ...file.data };
    const model = file.model(size && [size[0]!, size[1]!]);
    activationShapes(model);
    const { batch, optimizer, seed, shuffle, mode, plan, checkpoint, init } = file;
    const name = file.name ?? nameOfFile(source);
    return {
      name,
      model,
      data: resolveData(file, model, baseDirectory),
      batch,
      until: trainUntil(file),
      optimizer,
      seed,
      shuffle,
      mode,
      plan,
      checkpoint: {
        everySteps: checkpoint.everySteps ?? CHECKPOINT_STEPS,
        directory: resolve(baseDirectory, checkpoint.directory ?? `runs/${name}`),
      },
      ...(init === undefined ? {} : { init: resolve(baseDirectory, init) }),
    };
  });
}

function trainUntil({ epochs, steps }: JobFile): Job['until'] {
  if (epochs !== undefined && steps !== undefined) {
    throw new InputError('keyInvalid', `steps: got both epochs: ${epochs} and steps: ${steps}, want one of them`);
  }
  if (steps !== undefined) {
    return { steps };
  }
  if (epochs === undefined) {
    throw new InputError('keyInvalid', 'epochs: is missing, want epochs: 1 or steps: 20');
  }
  return { epochs };
}

function resolveData({ data: given, batch }: JobFile, model: Model, baseDirectory: string): JobData {
  const normalize = normalisation(given.normalize, model.input[0]);
  if (given.kind === 'random') {
    checkSize(given.size, model);
    return { kind: 'random', count: RANDOM_BATCHES * batch, normalize };
  }
  const { images, labels, testImages, testLabels } = given;
  if ((testImages === undefined) !== (testLabels === undefined)) {
    const [missing, there] = testImages === undefined ? ['testImages', 'testLabels'] : ['testLabels', 'testImages'];
    throw new InputError('keyInvalid', `data.${missing}: is missing, want it beside data.${there}`);
  }
  const test =
    testImages === undefined || testLabels === undefined
      ? {}
      : { test: { images: resolve(baseDirectory, testImages), labels: resolve(baseDirectory, testLabels) } };
  return {
    kind: 'idx',
    images: resolve(baseDirectory, images),
    labels: resolve(baseDirectory, labels),
    ...test,
    normalize,
  };
}

/** Models with dense layers, and those that are written out, have a size of their own. */
function checkSize(size: readonly number[], { name, input }: Model): void {
  if (size[0] === input[1] && size[1] === input[2]) return;
  throw new InputError(
    'keyInvalid',
    `data.size: got [${size.join(', ')}], want [${input[1]}, ${input[2]}], the rows and columns of ${name}'s input`,
  );
}

function normalisation(given: JobFile['data']['normalize'], channels: number): Normalisation {
  const spread = (key: 'mean' | 'std', value: number | readonly number[]): readonly number[] => {
    const values = typeof value === 'number' ? Array.from({ length: channels }, () => value) : value;
    if (values.length !== channels) {
      throw new InputError(
        'keyInvalid',
        `data.normalize.${key}: got ${values.length} values, want ${channels}: one per channel of model.input`,
      );
    }
    return values;
  };
  return { mean: spread('mean', given?.mean ?? 0), std: spread('std', given?.std ?? 1) };
}

/** `flows/LeNet 5.yaml` becomes `lenet-5`. */
function nameOfFile(source: string): string {
  const fitted = basename(source, extname(source))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 32);
  return fitted === '' ? 'job' : fitted;
}

function perChannel(want: string, accept: (value: number) => boolean): Schema<number | number[]> {
  const one = real(`${want}, or a list with one per channel`, accept);
  const several = list(real(want, accept), 'a list with one number per channel');
  return choose<number | number[]>(want, (input) => (Array.isArray(input) ? several : one));
}
