/** Reading checkpoints and weights, with every doubt raised before a value is used. */

import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { InputError } from '../../errors.ts';
import type { Model } from '../../model/layers.ts';
import { parameterTensors, type TensorValues } from '../../model/parameters.ts';
import type { KernelRecord } from '../../planner/kernels.ts';
import { momentumName } from '../../program/messages.ts';
import { bytesHash, modelHash } from './hash.ts';
import { checkpointName, manifestSchema, stepOfManifest, type CheckpointContent, type Manifest } from './manifest.ts';
import { decodeSafetensors } from './safetensors.ts';

export interface Checkpoint extends CheckpointContent {
  /** Path of the safetensors file. */
  readonly file: string;
  readonly weightsChecksum: string;
}

const ANOTHER = 'remove it to go on from the one before, or start anew';

/** Steps of the checkpoints in a directory, ascending; none if there is no such directory. */
export async function listCheckpoints(directory: string): Promise<readonly number[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .map(stepOfManifest)
    .filter((step) => step !== undefined)
    .toSorted((a, b) => a - b);
}

/** Path of the safetensors file of a step. */
export function checkpointFile(directory: string, step: number): string {
  return join(directory, `${checkpointName(step)}.safetensors`);
}

/**
 * The kernels of the run whose checkpoints lie in a directory; undefined where there are none.
 * @throws {InputError} `checkpointMissing`, `checkpointCorrupt` for the newest manifest
 */
export async function kernelsOfRun(directory: string): Promise<KernelRecord | undefined> {
  const newest = (await listCheckpoints(directory)).at(-1);
  if (newest === undefined) return undefined;
  const { kernels } = await readManifest(join(directory, `${checkpointName(newest)}.json`));
  return kernels ?? { devices: [], kernels: { mode: 'strict' } };
}

/**
 * Reads a checkpoint and checks it against its manifest and, if given, the model that shall go on with it.
 * @param file path of its safetensors file or of its manifest
 * @throws {InputError} `checkpointMissing`, `checkpointTruncated`, `checkpointCorrupt`, `checkpointModel`
 */
export async function readCheckpoint(file: string, model?: Model): Promise<Checkpoint> {
  const tensorsFile = file.replace(/\.json$/, '.safetensors');
  const manifest = await readManifest(tensorsFile.replace(/safetensors$/, 'json'));
  if (model !== undefined) {
    checkLayers(tensorsFile, manifest.model, model);
  }
  const bytes = await readTensors(tensorsFile, manifest.tensors.bytes);
  if (bytesHash([bytes]) !== manifest.tensors.sha256) {
    throw new InputError(
      'checkpointCorrupt',
      `${tensorsFile}: is not what was written: its SHA-256 differs from that in its manifest; ${ANOTHER}`,
    );
  }
  const tensors = decode(tensorsFile, bytes);
  checkTensors(tensorsFile, tensors, manifest.model);
  const { step, epoch, job, planHash, kernels, weightsChecksum } = manifest;
  const made = { job, planHash, ...(kernels ? { kernels } : {}) };
  return { file: tensorsFile, step, epoch, model: manifest.model, ...made, weightsChecksum, tensors };
}

/**
 * Weights to begin with, from any safetensors file that holds the model's tensors as float32 (a checkpoint of ours, or PyTorch's state_dict);
 * others in it are ignored.
 * @returns tensors by name, in the order of `parameterTensors`
 * @throws {InputError} `checkpointMissing`, `checkpointTruncated`, `checkpointCorrupt`, `checkpointModel`
 */
export async function readWeights(file: string, model: Model): Promise<Map<string, TensorValues>> {
  const found = decode(file, await readTensors(file));
  checkTensors(file, found, model);
  return new Map(parameterTensors(model).map(({ name }) => [name, found.get(name)!]));
}

async function readManifest(file: string): Promise<Manifest> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw missing(file, cause);
  });
  const parsed = v.safeParse(manifestSchema, parseJson(text));
  if (!parsed.success) {
    const { message, path } = parsed.issues[0];
    const key = path?.map((item) => String(item.key)).join('.') ?? '';
    throw new InputError(
      'checkpointCorrupt',
      `${file}: is not a manifest of a checkpoint (${key}: ${message}); ${ANOTHER}`,
    );
  }
  if (modelHash(parsed.output.model) !== parsed.output.modelHash) {
    throw new InputError(
      'checkpointCorrupt',
      `${file}: is not what was written: model and modelHash differ; ${ANOTHER}`,
    );
  }
  return parsed.output;
}

/** @param want bytes, where a manifest says so; checked before anything is read */
async function readTensors(file: string, want?: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (want !== undefined && size !== want) {
      const code = size < want ? 'checkpointTruncated' : 'checkpointCorrupt';
      const how = size < want ? 'is cut short' : 'is too long';
      throw new InputError(code, `${file}: ${how}: got ${size} bytes, its manifest says ${want}; ${ANOTHER}`);
    }
    return await readFile(file);
  } catch (error) {
    throw error instanceof InputError ? error : missing(file, error);
  }
}

function decode(file: string, bytes: Uint8Array): ReadonlyMap<string, TensorValues> {
  const content = decodeSafetensors(bytes);
  if (!('fault' in content)) {
    return content.tensors;
  }
  const code = content.fault === 'truncated' ? 'checkpointTruncated' : 'checkpointCorrupt';
  throw new InputError(code, `${file}: ${content.what}; want a safetensors file of float32 values`);
}

/** Strides and activations leave no trace in the tensors, so the models themselves are compared. */
function checkLayers(file: string, got: Model, wanted: Model): void {
  if (modelHash(got) === modelHash(wanted)) {
    return;
  }
  const wantedTensors = new Map(parameterTensors(wanted).map(({ name, shape }) => [name, shape.join('x')]));
  const gotTensors = new Map(parameterTensors(got).map(({ name, shape }) => [name, shape.join('x')]));
  const names = [...new Set([...wantedTensors.keys(), ...gotTensors.keys()])];
  const name = names.find((one) => wantedTensors.get(one) !== gotTensors.get(one));
  const difference =
    name === undefined
      ? 'its tensors have the same shapes, but input, loss, strides, paddings or activations differ'
      : `${name} is ${gotTensors.get(name) ?? 'not there'}, the job's model wants ${wantedTensors.get(name) ?? 'no such tensor'}`;
  throw new InputError(
    'checkpointModel',
    `${file}: is of another model (${got.name}): ${difference}; give its own model, or another checkpoint.directory`,
  );
}

function checkTensors(file: string, found: ReadonlyMap<string, TensorValues>, model: Model): void {
  for (const { name, shape } of parameterTensors(model)) {
    for (const key of [name, momentumName(name)]) {
      const got = found.get(key)?.shape.join('x');
      const optional = key !== name && got === undefined;
      if (!optional && got !== shape.join('x')) {
        throw new InputError(
          'checkpointModel',
          `${file}: is of another model: ${key} is ${got ?? 'not there'}, the model ${model.name} wants ${shape.join('x')}`,
        );
      }
    }
  }
}

function missing(file: string, cause: unknown): InputError {
  const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  return new InputError(
    'checkpointMissing',
    `${file}: ${gone ? 'does not exist' : `cannot be read (${String(cause)})`}`,
    { cause },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
