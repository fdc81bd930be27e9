/** mqtile predict: what a checkpoint makes of images. */

import {
  InputError,
  createEngine,
  imagePixels,
  loadPredictor,
  naming,
  readImageFile,
  type Fit,
  type Prediction,
  type Predictor,
} from '../index.ts';
import { parseArguments, wholeNumber, type Command } from './command.ts';
import { formatTable, type Column } from './format.ts';

const HELP = `Usage: mqtile predict --checkpoint FILE IMAGE... [options]

Shows a trained model PNG or JPEG files, and prints the class of each. An image is brought to the size of the model's input; a model with one channel
gets it in grey.

  --checkpoint FILE   a checkpoint's .safetensors file or its .json, or a directory, of which the newest is taken
  --top N             the N likeliest classes of each image (default 1)
  --invert            make dark light and light dark: a pen on paper is the negative of MNIST's digits
  --fit stretch       stretch the image over all of the input (default), or
        contain       keep its proportions, with black round it
  --json              one JSON object a line for each image

Example: mqtile predict --checkpoint runs/lenet5-mnist --invert --fit contain photo.jpg
`;

export const predictCommand: Command = {
  name: 'predict',
  summary: 'show a trained model images',
  help: HELP,
  run,
};

const OPTIONS = {
  checkpoint: { type: 'string' },
  top: { type: 'string' },
  invert: { type: 'boolean' },
  fit: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** A class of an image, and how sure the model is. */
interface Guess {
  readonly class: number;
  readonly probability: number;
}

interface Answer {
  readonly file: string;
  /** The likeliest first; the first of equal ones. */
  readonly top: readonly Guess[];
  /** Milliseconds that the network took, without the decoding of the image. */
  readonly ms: number;
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals: files } = parseArguments(args, OPTIONS, Infinity);
  const { checkpoint, json = false, invert = false } = values;
  if (checkpoint === undefined) {
    throw new InputError('arguments', '--checkpoint: is missing, want a file or a directory, e.g. runs/lenet5-mnist');
  }
  if (files.length === 0) throw new InputError('arguments', 'the image is missing, e.g. seven.png; see --help');
  const top = wholeNumber('top', values.top ?? '1', 1);
  const fit = fitOf(values.fit ?? 'stretch');
  await using engine = await createEngine();
  const predictor = await loadPredictor(checkpoint, engine);
  const answers: Answer[] = [];
  for (const file of files) {
    const pixels = await pixelsOf(file, { shape: predictor.shape, invert, fit });
    const answer = await answerOf(file, predictor, pixels, top);
    if (json) process.stdout.write(`${JSON.stringify(lineOf(answer))}\n`);
    answers.push(answer);
  }
  predictor.close();
  if (!json) process.stdout.write(formatTable(COLUMNS, answers.flatMap(rowsOf), process.stdout));
  return 0;
}

/** @throws {InputError} with the file's name in front */
async function pixelsOf(file: string, options: Parameters<typeof imagePixels>[1]): Promise<Uint8Array> {
  try {
    return await imagePixels(await readImageFile(file), options);
  } catch (error) {
    return naming(file, () => {
      throw error;
    });
  }
}

async function answerOf(file: string, predictor: Predictor, pixels: Uint8Array, top: number): Promise<Answer> {
  const start = performance.now();
  const prediction = await predictor.predict(pixels);
  return { file, top: likeliest(prediction).slice(0, top), ms: performance.now() - start };
}

function likeliest({ probabilities }: Prediction): readonly Guess[] {
  return probabilities
    .map((probability, index) => ({ class: index, probability }))
    .toSorted((a, b) => b.probability - a.probability);
}

function lineOf({ file, top, ms }: Answer): object {
  return { event: 'prediction', file, ...top[0]!, top, ms: Number(ms.toFixed(3)) };
}

/** A line of the table; the image and the time stand only beside its likeliest class. */
interface Row {
  readonly answer: Answer | undefined;
  readonly guess: Guess;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'image', value: ({ answer }) => answer?.file ?? '' },
  { title: 'class', value: ({ guess }) => String(guess.class), right: true },
  { title: 'probability', value: ({ guess }) => `${(100 * guess.probability).toFixed(2)} %`, right: true },
  { title: 'ms', value: ({ answer }) => answer?.ms.toFixed(1) ?? '', right: true },
];

function rowsOf(answer: Answer): readonly Row[] {
  return answer.top.map((guess, rank) => ({ answer: rank === 0 ? answer : undefined, guess }));
}

function fitOf(text: string): Fit {
  if (text === 'stretch' || text === 'contain') return text;
  throw new InputError('arguments', `--fit: got ${text}, want stretch or contain`);
}
