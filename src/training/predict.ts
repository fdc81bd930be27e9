/** Prediction: the forward half of a model on one device, one image at a time, from the weights of a checkpoint. */

import { InputError } from '../errors.ts';
import type { Engine } from '../kernels/engine.ts';
import type { Model } from '../model/layers.ts';
import { makePlan } from '../planner/make-plan.ts';
import { compileProgram } from '../program/compile.ts';
import type { Normalization } from '../program/options.ts';
import { iterationKey } from '../program/program.ts';
import type { KernelCall, PixelsCall } from '../tensor/call.ts';
import { ParameterStore, type TensorMap } from './parameters.ts';
import { readView, writeView } from './read.ts';

/** A device that nobody else sees. */
const ALONE = ['alone'];

const ONE_IMAGE = { kind: 'evaluate', samples: 1 } as const;

export interface PredictorOptions {
  readonly model: Model;
  /** Weights and biases by name; momentum among them is not looked at. */
  readonly tensors: TensorMap;
  /** What the model was trained with. */
  readonly normalization: Normalization;
  readonly engine: Engine;
}

/** What a model makes of one image. */
export interface Prediction {
  /** The largest score's position; the first of equal ones. */
  readonly class: number;
  /** Softmax over the scores; they add up to 1. */
  readonly probabilities: readonly number[];
}

export interface Predictor {
  /** Channels, rows and columns of an image. */
  readonly shape: Model['input'];
  /**
   * @param pixels one image, channels x rows x columns unsigned bytes
   * @throws {InputError} `imageSize` for another number of bytes
   */
  predict(pixels: Uint8Array): Promise<Prediction>;
  /**
   * @param values one image as the first layer gets it, scaled and normalised, channels x rows x columns float32
   * @throws {InputError} `imageSize` for another number of values
   */
  predictValues(values: Float32Array): Promise<Prediction>;
  close(): void;
}

/** @throws {InputError} `notAClassifier` for a model whose output is not one score per class */
export async function createPredictor({ model, tensors, normalization, engine }: PredictorOptions): Promise<Predictor> {
  if (model.loss !== 'softmaxCrossEntropy') {
    throw new InputError(
      'notAClassifier',
      `${model.name} is trained for ${model.loss}, want a model with one score per class`,
    );
  }
  const request = { stages: [{ layers: [0, model.layers.length] as const, partition: 'single' as const }] };
  const plan = makePlan(model, ALONE, { batch: 1, request });
  const program = compileProgram(model, plan, 0, {
    framing: { chunkBytes: 1, headerBytes: 0 },
    optimizer: { momentum: 0, weightDecay: 0 },
    normalization,
    writers: [],
    variants: [ONE_IMAGE],
  });
  const arena = await engine.allocate(program.arenaBytes);
  new ParameterStore(plan, program, arena.bytes).fill(tensors);
  const iteration = program.iterations.get(iterationKey(ONE_IMAGE.kind, ONE_IMAGE.samples))!;
  const calls = iteration.forward[0]!.calls[0];
  const [forward, afterPixels] = [arena.compile(calls), arena.compile(calls.filter((call) => !isPixels(call)))];
  const output = iteration.outputs[0]!;
  let last: Promise<unknown> = Promise.resolve();
  return { shape: model.input, predict, predictValues, close: () => arena.release() };

  function predict(pixels: Uint8Array): Promise<Prediction> {
    return inTurn(async () => {
      checkSize(pixels, model);
      arena.bytes.set(pixels, program.storage.images[0]);
      await arena.run(forward);
    });
  }

  function predictValues(values: Float32Array): Promise<Prediction> {
    return inTurn(async () => {
      checkSize(values, model);
      const plane = model.input[1] * model.input[2];
      for (const [c, { target }] of calls.filter(isPixels).entries()) {
        writeView(arena.bytes, target, values.subarray(c * plane, (c + 1) * plane));
      }
      await arena.run(afterPixels);
    });
  }

  /** One image at a time: they share the arena. A failed one does not hold up the next. */
  function inTurn(run: () => Promise<void>): Promise<Prediction> {
    const next = last.then(run).then(() => softmax(readView(arena.bytes, output.view)));
    last = next.catch(() => {});
    return next;
  }
}

/** One for each channel, in order: bytes become floats. */
function isPixels(call: KernelCall): call is PixelsCall {
  return call.kind === 'pixels';
}

/** Values are bytes or floats, one for each point of the model's input. */
function checkSize(image: ArrayLike<number>, { input }: Model): void {
  const wanted = input[0] * input[1] * input[2];
  if (image.length === wanted) return;
  throw new InputError(
    'imageSize',
    `got an image of ${image.length} values, want ${input.join(' x ')} = ${wanted} (channels x rows x columns)`,
  );
}

function softmax(scores: Float32Array): Prediction {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(scores, (score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return { class: scores.indexOf(largest), probabilities: powers.map((power) => power / sum) };
}
