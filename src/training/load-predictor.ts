/** Loading a predictor: model, weights and how pixels were normalised, all from one checkpoint. */

import { stat } from 'node:fs/promises';
import * as v from 'valibot';
import { InputError } from '../errors.ts';
import type { Engine } from '../kernels/engine.ts';
import { checkpointFile, listCheckpoints, readCheckpoint } from './checkpoint/read.ts';
import { createPredictor, type Predictor } from './predict.ts';

/** What a checkpoint's record of its job says about pixels. */
const jobSchema = v.object({
  data: v.object({ normalize: v.object({ mean: v.array(v.number()), std: v.array(v.number()) }) }),
});

/** A predictor that knows what it was made from. */
export interface LoadedPredictor extends Predictor {
  /** Path of the checkpoint's safetensors file. */
  readonly file: string;
  /** Training steps done when it was written. */
  readonly step: number;
}

/**
 * @param path a checkpoint's safetensors file or its manifest, or a directory, of which the newest checkpoint is taken
 * @throws {InputError} of `findCheckpoint`, `readCheckpoint` and `createPredictor`
 */
export async function loadPredictor(path: string, engine: Engine): Promise<LoadedPredictor> {
  const { file, step, model, tensors, job } = await readCheckpoint(await findCheckpoint(path));
  const parsed = v.safeParse(jobSchema, job);
  const { mean, std: deviation } = parsed.success ? parsed.output.data.normalize : { mean: [], std: [] };
  const values = new Map([...tensors].map(([name, tensor]) => [name, tensor.values]));
  const predictor = await createPredictor({ model, tensors: values, normalization: { mean, deviation }, engine });
  return { ...predictor, file, step };
}

/**
 * Path of the manifest that is there now for a file or a directory; a checkpoint exists if and only if its manifest does.
 * @param path as for `loadPredictor`
 * @throws {InputError} `checkpointMissing`
 */
export async function findCheckpoint(path: string): Promise<string> {
  const kind = await stat(path).catch(() => undefined);
  if (kind?.isDirectory()) {
    const newest = (await listCheckpoints(path)).at(-1);
    if (newest === undefined) throw missing(path, 'holds no checkpoint');
    return manifestOf(checkpointFile(path, newest));
  }
  const manifest = manifestOf(path);
  const there = await stat(manifest).catch(() => undefined);
  if (there?.isFile()) return manifest;
  throw missing(path, kind === undefined ? 'does not exist' : `is no checkpoint: ${manifest} does not exist`);
}

function manifestOf(file: string): string {
  return file.replace(/(\.safetensors|\.json)?$/, '.json');
}

function missing(path: string, what: string): InputError {
  return new InputError(
    'checkpointMissing',
    `${path}: ${what}; train one first, or give the file or the directory of another`,
  );
}
