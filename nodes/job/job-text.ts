/** From the fields of a job to the text of a job file that says the same, and from mistakes in that text back to the fields. */

import { InputError } from 'mqtile';
import { LABELS, type OwnFields } from './fields.ts';

/** Keys of a job file by the field that gives them. */
const KEYS: Readonly<Record<keyof typeof LABELS, string>> = {
  jobName: 'name',
  model: 'model',
  images: 'data.images',
  labels: 'data.labels',
  testImages: 'data.testImages',
  testLabels: 'data.testLabels',
  batch: 'batch',
  epochs: 'epochs',
  steps: 'steps',
  rate: 'optimizer.rate',
  decay: 'optimizer.decay',
  momentum: 'optimizer.momentum',
  weightDecay: 'optimizer.weightDecay',
  seed: 'seed',
  shuffle: 'shuffle',
  mode: 'mode',
  grid: 'plan.grid',
  everySteps: 'checkpoint.everySteps',
  directory: 'checkpoint.directory',
  init: 'init',
};

/** @returns YAML: one key a line, all values but the model as JSON; what is left empty is left out */
export function jobText(fields: OwnFields): string {
  const { jobName, model, images, labels, testImages, testLabels, batch, epochs, steps } = fields;
  const { rate, decay, momentum, weightDecay, seed, shuffle, mode, grid, everySteps, directory, init } = fields;
  const entries = {
    name: jobName,
    data: { kind: 'idx', images, labels, testImages, testLabels },
    batch: number(batch),
    epochs: number(epochs),
    steps: number(steps),
    optimizer: { rate: number(rate), decay, momentum: number(momentum), weightDecay: number(weightDecay) },
    seed: number(seed),
    shuffle,
    mode,
    plan: { grid },
    checkpoint: { everySteps: number(everySteps), directory },
    init,
  };
  const lines = Object.entries(entries).map(([key, value]) => line(key, value));
  return [...modelLines(model), ...lines.filter((text) => text !== undefined), ''].join('\n');
}

/**
 * Runs what parses the text of {@link jobText}, and calls what is wrong by the names of the fields.
 * @param source of the text in messages
 * @throws {InputError} with the code of the mistake
 */
export function namingFields<Result>(source: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof InputError) || !error.message.startsWith(`${source}: `)) throw error;
    throw new InputError(error.code, inWordsOfDialog(error.message.slice(source.length + 2)), { cause: error });
  }
}

function inWordsOfDialog(message: string): string {
  // All but the model is JSON, which is always valid.
  if (message.startsWith('is not valid YAML')) return `${LABELS.model}: ${message}`;
  const fields = (Object.keys(KEYS) as (keyof typeof LABELS)[]).filter((field) => isAbout(message, KEYS[field]));
  const [field] = fields;
  if (field === undefined) return message;
  const rest = message.slice(KEYS[field].length).replace(/^[.:]\s*/, '');
  return `${LABELS[field]}: ${rest.replace(/\bdata\.(testImages|testLabels)\b/, (_, other: 'testImages') => LABELS[other])}`;
}

function isAbout(message: string, key: string): boolean {
  return message.startsWith(key) && /^[.:[]/.test(message.slice(key.length));
}

/** A model's name, or its block, one step in, so that it stays inside whatever it holds. */
function modelLines(model: string): readonly string[] {
  if (model === '') return [];
  if (/^[\w-]+$/.test(model)) return [`model: ${JSON.stringify(model)}`];
  return ['model:', ...model.split(/\r?\n/).map((text) => `  ${text}`)];
}

function line(key: string, value: unknown): string | undefined {
  const isBlock = typeof value === 'object' && value !== null;
  const said = isBlock ? Object.fromEntries(Object.entries(value).filter(([, one]) => isSaid(one))) : value;
  return isSaid(said) ? `${key}: ${JSON.stringify(said)}` : undefined;
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== '';
}

/** What is no number stays as it is, for the parser to show. */
function number(text: string): number | string | undefined {
  if (text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}
