/** The manifest of a checkpoint: the JSON beside the tensors. A checkpoint exists if and only if its manifest does. */

import * as v from 'valibot';
import type { Model } from '../../model/layers.ts';
import type { TensorValues } from '../../model/parameters.ts';
import type { KernelRecord } from '../../planner/kernels.ts';
import type { ConvolutionAlgorithms } from '../../planner/plan.ts';

/** A training run between two steps. */
export interface CheckpointContent {
  /** Training steps done. */
  readonly step: number;
  /** The epoch, from 0, that the next step belongs to. */
  readonly epoch: number;
  readonly model: Model;
  /** The job as it was submitted, for the record. */
  readonly job: unknown;
  /** Hash of the plan that made it; another plan may go on. */
  readonly planHash: string;
  /** What computed it, which whoever goes on obeys; absent: kernels of mode strict. */
  readonly kernels?: KernelRecord | undefined;
  /** Weights and biases by name, and `momentum.<name>` of each where the optimizer has momentum. */
  readonly tensors: ReadonlyMap<string, TensorValues>;
}

export const MANIFEST_FORMAT = 'mqtile-checkpoint';
export const MANIFEST_VERSION = 1;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const algorithm = v.picklist(['direct', 'winograd']);
const algorithms: v.GenericSchema<unknown, ConvolutionAlgorithms> = v.object({
  forward: algorithm,
  inputGradient: algorithm,
  weightGradient: algorithm,
});

/** A {@link KernelRecord} in a manifest, and on its way to other nodes. */
export const kernelRecordSchema: v.GenericSchema<unknown, KernelRecord> = v.object({
  devices: v.array(v.string()),
  kernels: v.variant('mode', [
    v.object({ mode: v.literal('strict') }),
    v.object({
      mode: v.literal('fast'),
      wide: v.array(v.boolean()),
      convolutions: v.record(v.string(), algorithms),
    }),
  ]),
});

/** What a manifest holds. The model is vouched for by its hash. */
export const manifestSchema = v.object({
  format: v.literal(MANIFEST_FORMAT),
  version: v.literal(MANIFEST_VERSION),
  step: count,
  epoch: count,
  model: v.custom<Model>((input) => typeof input === 'object' && input !== null),
  modelHash: v.string(),
  job: v.unknown(),
  planHash: v.string(),
  kernels: v.optional(kernelRecordSchema),
  weightsChecksum: v.string(),
  tensors: v.object({ file: v.string(), bytes: count, sha256: v.string() }),
});

export type Manifest = v.InferOutput<typeof manifestSchema>;

/** `step-000200`: the name of a checkpoint's two files, without extension. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

/** The step of a manifest's file name; undefined for another file. */
export function stepOfManifest(name: string): number | undefined {
  const digits = /^step-(\d{6,16})\.json$/.exec(name)?.[1];
  return digits === undefined || checkpointName(Number(digits)) !== `step-${digits}` ? undefined : Number(digits);
}
