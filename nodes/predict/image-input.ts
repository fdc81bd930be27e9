/** What a message shows to mqtile-predict: an image file, its path, a data URL, pixels, or a tensor. */

import { InputError, imageFormat, imagePixels, naming, readImageFile, type Fit, type Tensor } from 'mqtile';
import type { FlowMessage } from '../red.ts';

/** How images become a model's input; pixels and tensors are taken as they are. */
export interface ImageOptions {
  readonly shape: Parameters<typeof imagePixels>[1]['shape'];
  readonly invert: boolean;
  readonly fit: Fit;
}

/** An image as a message has it. */
export type ImageInput =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pixels'; readonly pixels: Uint8Array }
  | { readonly kind: 'values'; readonly values: Float32Array };

const DATA_URL = /^data:image\/(?:png|jpeg|jpg);base64,/i;
const WANT = 'want a PNG or JPEG file as Buffer, its path or data URL, or the pixels of the model’s input';

/** Characters of a path that an error quotes. */
const QUOTED = 100;

/**
 * Looks at a message at once: a tensor may have expired when its turn comes.
 * @throws {InputError} `imageInvalid`; {RunError} `tensorExpired`
 */
export function imageInput({ payload, tensor }: FlowMessage): ImageInput {
  if (typeof payload === 'string') return textInput(payload);
  if (payload instanceof Float32Array) return { kind: 'values', values: payload };
  if (payload instanceof Uint8Array || payload instanceof Uint8ClampedArray) return bytesInput(bytesOf(payload));
  if (Array.isArray(payload)) return { kind: 'pixels', pixels: pixelsOf(payload) };
  for (const handle of [payload, tensor]) if (isTensor(handle)) return { kind: 'values', values: handle.read() };
  throw new InputError('imageInvalid', `msg.payload: got ${describe(payload)}, ${WANT}`);
}

/** Bytes that an input keeps in memory while it waits. */
export function heldBytes(input: ImageInput): number {
  if (input.kind === 'file') return input.path.length;
  return input.kind === 'bytes'
    ? input.bytes.length
    : input.kind === 'pixels'
      ? input.pixels.length
      : input.values.byteLength;
}

/** The pixels of an image file, as `Predictor.predict` takes them. @throws {InputError} as `imagePixels` and `readImageFile`, with the source's name in front */
export async function decoded(
  input: { readonly path: string } | { readonly bytes: Uint8Array },
  options: ImageOptions,
): Promise<Uint8Array> {
  const source = 'path' in input ? shortened(input.path) : 'msg.payload';
  try {
    return await imagePixels('path' in input ? await readImageFile(input.path) : input.bytes, options);
  } catch (error) {
    return naming(source, () => {
      throw error;
    });
  }
}

function textInput(text: string): ImageInput {
  const head = DATA_URL.exec(text)?.[0];
  if (head !== undefined) return { kind: 'bytes', bytes: Buffer.from(text.slice(head.length), 'base64') };
  if (text !== '' && !text.startsWith('data:')) return { kind: 'file', path: text };
  throw new InputError('imageInvalid', `msg.payload: got ${text === '' ? 'an empty text' : shortened(text)}, ${WANT}`);
}

function bytesOf(payload: Uint8Array | Uint8ClampedArray): Uint8Array {
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
}

/** An image file begins with its magic number; anything else is pixels, whose count the model checks. */
function bytesInput(bytes: Uint8Array): ImageInput {
  return imageFormat(bytes) === undefined ? { kind: 'pixels', pixels: bytes } : { kind: 'bytes', bytes };
}

/** @param list whole numbers from 0 to 255; rows and planes may be lists of their own */
function pixelsOf(list: readonly unknown[]): Uint8Array {
  const values = list.flat(Infinity);
  const wrong = values.findIndex((value) => !Number.isInteger(value) || Number(value) < 0 || Number(value) > 255);
  if (wrong < 0) return Uint8Array.from(values as readonly number[]);
  throw new InputError(
    'imageInvalid',
    `msg.payload: value ${wrong} is ${describe(values[wrong])}, want whole numbers from 0 to 255, or a Float32Array of what the first layer gets`,
  );
}

/** A handle of a run in this process, recognised by what it does: it may come from another copy of the package. */
function isTensor(value: unknown): value is Tensor {
  return Object.prototype.toString.call(value) === '[object Tensor]' && typeof (value as Tensor).read === 'function';
}

function describe(payload: unknown): string {
  if (payload === null || typeof payload !== 'object') return shortened(String(payload));
  return Object.prototype.toString.call(payload).slice('[object '.length, -1);
}

function shortened(text: string): string {
  return text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text;
}
