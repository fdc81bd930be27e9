/** Spec: what the node where a job was submitted tells all members: who takes part, in which order, in which run. */

import * as v from 'valibot';
import type { Model } from '../model/layers.ts';
import { chooseKernels, resumedKernels, type KernelRecord } from '../planner/kernels.ts';
import { makePlan } from '../planner/make-plan.ts';
import type { Plan } from '../planner/plan.ts';
import type { Job } from '../job/job.ts';
import { TYPICAL_RATES, parseKernelRates, type KernelRates } from '../tensor/rates.ts';
import { jsonHash } from '../training/checkpoint/hash.ts';
import { kernelRecordSchema } from '../training/checkpoint/manifest.ts';
import { submissionSchema } from './submission.ts';

const identity = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));

const memberSchema = v.object({
  name: v.string(),
  instance: v.string(),
  /** Its kernels', as the submitter knew them: every member makes its plan by these. */
  rates: v.optional(v.pipe(v.unknown(), v.transform(parseKernelRates))),
});

const specSchema = v.object({
  run: identity,
  protocol: v.number(),
  version: v.string(),
  submitter: v.string(),
  /** By rank. A node that was started anew has another instance and is not meant. */
  members: v.pipe(v.array(memberSchema), v.minLength(1)),
  submission: submissionSchema,
  /** Of a run that is gone on with. */
  record: v.optional(kernelRecordSchema),
});

/** `job/<job>/spec`. */
export type Spec = v.InferOutput<typeof specSchema>;

const planSchema = v.object({ run: identity, planHash: identity, plan: v.unknown() });

/** `job/<job>/plan`. Members recompute the plan and compare the hash; the plan itself is for people and programs that look on. */
export type PlanDocument = v.InferOutput<typeof planSchema>;

export function parseSpec(document: unknown): Spec | undefined {
  const parsed = v.safeParse(specSchema, document);
  return parsed.success ? parsed.output : undefined;
}

export function parsePlanDocument(document: unknown): PlanDocument | undefined {
  const parsed = v.safeParse(planSchema, document);
  return parsed.success ? parsed.output : undefined;
}

/** First 16 hexadecimal digits of a SHA-256 over everything that decides bits: model, optimizer, order of samples and the plan itself. */
export function planHashOf(job: Job, plan: Plan): string {
  const { batch, optimizer, seed, shuffle, mode, until } = job;
  const model: Omit<Model, 'name'> = { input: job.model.input, layers: job.model.layers, loss: job.model.loss };
  const { normalize } = job.data;
  return jsonHash({ model, batch, optimizer, seed, shuffle, mode, until, normalize, plan }).slice(0, 16);
}

/** What decides a plan's kernels, beside the job. */
interface KernelGrounds {
  /** By rank; {@link TYPICAL_RATES} where a device has measured none. */
  readonly rates?: readonly (KernelRates | undefined)[];
  /** What computed the run that is gone on with. */
  readonly record?: KernelRecord | undefined;
}

/**
 * The plan of a job for these devices.
 * @throws {InputError} of `makePlan`; `checkpointMode`
 */
export function planOf(job: Job, devices: readonly string[], { rates, record }: KernelGrounds = {}): Plan {
  const plan = makePlan(job.model, devices, { batch: job.batch, request: job.plan });
  const known = devices.map((_, rank) => rates?.[rank] ?? TYPICAL_RATES);
  const chosen = job.mode === 'strict' ? plan.kernels : chooseKernels(job.model, plan.stages, known);
  return { ...plan, kernels: record ? resumedKernels(record, devices, chosen) : chosen };
}

/** The plan of a run, as every member makes it. @throws {InputError} as {@link planOf} */
export function planOfSpec(job: Job, spec: Pick<Spec, 'members' | 'record'>): Plan {
  const { members, record } = spec;
  const rates = members.map((member) => member.rates);
  return planOf(
    job,
    members.map(({ name }) => name),
    { rates, record },
  );
}
