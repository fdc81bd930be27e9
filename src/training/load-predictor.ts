/** Loading a predictor: model, weights and how pixels were normalised, all from one checkpoint. */

import * as v from 'valibot';
import type { Engine } from '../kernels/engine.ts';
import { readCheckpoint } from './checkpoint/read.ts';
import { createPredictor, type Predictor } from './predict.ts';

/** What a checkpoint's record of its job says about pixels. */
const jobSchema = v.object({
  data: v.object({ normalize: v.object({ mean: v.array(v.number()), std: v.array(v.number()) }) }),
});

/**
 * @param file a checkpoint's safetensors file or its manifest
 * @throws {InputError} of `readCheckpoint` and `createPredictor`
 */
export async function loadPredictor(file: string, engine: Engine): Promise<Predictor> {
  const { model, tensors, job } = await readCheckpoint(file);
  const parsed = v.safeParse(jobSchema, job);
  const { mean, std: deviation } = parsed.success ? parsed.output.data.normalize : { mean: [], std: [] };
  const values = new Map([...tensors].map(([name, tensor]) => [name, tensor.values]));
  return createPredictor({ model, tensors: values, normalization: { mean, deviation }, engine });
}
