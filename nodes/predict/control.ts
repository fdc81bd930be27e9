/** PredictControl: what an mqtile-predict does: one image after another, with the newest checkpoint. */

import { basename, extname, resolve } from 'node:path';
import { InputError, RunError, findCheckpoint, type Fit, type LoadedPredictor, type Prediction } from 'mqtile';
import type { FlowMessage, FlowNode, Send } from '../red.ts';
import { answerMessage, answerStatus } from './answers.ts';
import { CurrentPredictor } from './current-predictor.ts';
import { decoded, heldBytes, imageInput, type ImageInput } from './image-input.ts';

/** Fields of the edit dialog; the number is text. */
export interface PredictFields {
  /** A file or a directory; relative ones start from Node-RED's user folder. */
  readonly checkpoint?: string;
  readonly top: string;
  readonly invert: boolean;
  readonly fit: Fit;
}

/** Of images that wait: some seconds of drawing, or two photographs. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** What a waiting message costs beside its image. */
const MESSAGE_BYTES = 4096;

export class PredictControl {
  readonly #node: FlowNode;
  readonly #fields: PredictFields;
  readonly #folder: string;
  readonly #path: string;
  readonly #current: CurrentPredictor;
  #last: Promise<unknown> = Promise.resolve();
  #waitingBytes = 0;
  #closed = false;
  #complaint = '';

  /** @param folder where relative paths start */
  constructor(node: FlowNode, fields: PredictFields, folder: string) {
    this.#node = node;
    this.#fields = fields;
    this.#folder = folder;
    this.#path = resolve(folder, fields.checkpoint ?? '');
    this.#current = new CurrentPredictor(this.#path);
  }

  /** Shows whether there is a checkpoint; it is loaded when the first image comes. */
  async announce(): Promise<void> {
    const found = await findCheckpoint(this.#path).catch(() => undefined);
    if (this.#closed) return;
    const text = found === undefined ? 'no checkpoint yet' : `ready: ${basename(found, extname(found))}`;
    this.#node.status({ fill: 'grey', shape: 'ring', text });
  }

  /** Predicts, after the images that came before, and sends the answer. @throws {InputError}, {RunError} with the way out */
  async predict(message: FlowMessage, send: Send): Promise<void> {
    if (!this.#fields.checkpoint?.trim()) {
      throw new InputError(
        'checkpointMissing',
        'checkpoint: is empty, want a file or a directory; open this node and name one',
      );
    }
    const input = imageInput(message);
    const bytes = heldBytes(input) + MESSAGE_BYTES;
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      throw new RunError('predictBusy', 'too many images wait for their turn; send fewer, or wait for each answer');
    }
    this.#waitingBytes += bytes;
    const turn = this.#last.then(() => this.#answer(message, input, send));
    this.#last = turn.catch(() => {});
    try {
      await turn;
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  /** Lets the image under way end, drops those that wait, and gives model and engine back. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#current.close();
  }

  async #answer(message: FlowMessage, input: ImageInput, send: Send): Promise<void> {
    if (this.#closed) return;
    const { predictor, stale } = await this.#current.ready();
    this.#complain(stale);
    const run = await this.#prepare(message, input, predictor);
    const start = performance.now();
    const prediction = await run();
    const answer = { prediction, predictor, ms: performance.now() - start };
    if (this.#closed) return;
    this.#node.status(answerStatus(answer, stale !== undefined));
    send([answerMessage(message, answer, Number(this.#fields.top) || 1)]);
  }

  /** Decodes what has to be decoded, so that only the network is timed. */
  async #prepare(
    message: FlowMessage,
    input: ImageInput,
    predictor: LoadedPredictor,
  ): Promise<() => Promise<Prediction>> {
    if (input.kind === 'values') return () => predictor.predictValues(input.values);
    if (input.kind === 'pixels') return () => predictor.predict(input.pixels);
    const invert = typeof message['invert'] === 'boolean' ? message['invert'] : this.#fields.invert;
    const source = input.kind === 'file' ? { path: resolve(this.#folder, input.path) } : input;
    const pixels = await decoded(source, { shape: predictor.shape, invert, fit: this.#fields.fit });
    return () => predictor.predict(pixels);
  }

  /** Once for each reason, not for each image. */
  #complain(stale: Error | undefined): void {
    const complaint = stale?.message ?? '';
    if (complaint !== '' && complaint !== this.#complaint)
      this.#node.log(`goes on with an older checkpoint: ${complaint}`);
    this.#complaint = complaint;
  }
}
