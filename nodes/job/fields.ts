/** Fields of the dialog of an mqtile-job, as it stores them: texts, empty for what is left to the default, and one box to tick. */

/** What a job file says, other than itself. */
interface Common {
  /** Rows x columns of tiles. */
  readonly grid: string;
  /** Training steps. */
  readonly steps: string;
}

/** A job file; grid and steps instead of what it says. */
export interface FileFields extends Common {
  readonly source: 'file';
  readonly path: string;
}

/** The job itself. */
export interface OwnFields extends Common {
  readonly source: 'fields';
  readonly jobName: string;
  /** Name of a model of the zoo, or the model in place, as YAML or JSON. */
  readonly model: string;
  readonly images: string;
  readonly labels: string;
  readonly testImages: string;
  readonly testLabels: string;
  readonly batch: string;
  readonly epochs: string;
  readonly rate: string;
  readonly decay: string;
  readonly momentum: string;
  readonly weightDecay: string;
  readonly seed: string;
  readonly shuffle: boolean;
  /** Missing in flows from before there was a choice. */
  readonly mode: string;
  readonly everySteps: string;
  readonly directory: string;
  readonly init: string;
}

export type JobFields = FileFields | OwnFields;

/** What the dialog calls the fields of a job. */
export const LABELS = {
  jobName: "Job's name",
  model: 'Model',
  images: 'Images',
  labels: 'Labels',
  testImages: 'Test images',
  testLabels: 'Test labels',
  batch: 'Batch',
  epochs: 'Epochs',
  steps: 'Steps',
  rate: 'Rate',
  decay: 'Decay',
  momentum: 'Momentum',
  weightDecay: 'Weight decay',
  seed: 'Seed',
  shuffle: 'Shuffle',
  mode: 'Mode',
  grid: 'Grid',
  everySteps: 'Checkpoint every',
  directory: 'Checkpoints in',
  init: 'Initial weights',
} as const satisfies Record<Exclude<keyof OwnFields, 'source'>, string>;

/** Takes fields from a flow or a request, which nobody checked. Flows from before there was a choice name a file. */
export function jobFieldsOf(given: Readonly<Record<string, unknown>>): JobFields {
  const text = (name: string) => {
    const value = given[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
  };
  const common = { grid: text('grid'), steps: text('steps') };
  if (given['source'] !== 'fields') return { ...common, source: 'file', path: text('path') };
  return {
    ...common,
    source: 'fields',
    jobName: text('jobName'),
    model: text('model'),
    images: text('images'),
    labels: text('labels'),
    testImages: text('testImages'),
    testLabels: text('testLabels'),
    batch: text('batch'),
    epochs: text('epochs'),
    rate: text('rate'),
    decay: text('decay'),
    momentum: text('momentum'),
    weightDecay: text('weightDecay'),
    seed: text('seed'),
    shuffle: given['shuffle'] !== false,
    mode: text('mode'),
    everySteps: text('everySteps'),
    directory: text('directory'),
    init: text('init'),
  };
}
