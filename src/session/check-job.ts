/** checkJob: everything about a job that can be wrong is found before anything starts, and nothing on disk is touched. */

import { InputError } from '../errors.ts';
import type { Job } from '../job/job.ts';
import { naming } from '../job/schema.ts';
import type { Plan } from '../planner/plan.ts';
import { kernelsOfRun, listCheckpoints } from '../training/checkpoint/read.ts';
import { named } from './named.ts';
import { openData, scheduleOf, startOf } from './prepare.ts';
import { planHashOf, planOf } from './spec.ts';
import { jobOf, startKey, type Submission } from './submission.ts';

export interface CheckedJob {
  readonly job: Job;
  readonly plan: Plan;
  readonly planHash: string;
  /** Training and test images, and steps in the whole job. */
  readonly trainSamples: number;
  readonly testSamples: number;
  readonly steps: number;
  /** Step of the checkpoint that training goes on from. */
  readonly startStep: number;
  /** Checkpoints of an earlier run that a new one replaces. */
  readonly replaced: number;
}

/**
 * Parses a job, makes its plan, opens its data and reads what it starts from: for jobs whose files lie on this machine.
 * @param devices names by rank
 * @throws {InputError} naming file and key, what was got and what is wanted
 */
export async function checkJob(submission: Submission, devices: readonly string[]): Promise<CheckedJob> {
  const job = jobOf(submission);
  const { source, resume } = submission;
  const record = resume ? await named(source, kernelsOfRun(job.checkpoint.directory)) : undefined;
  const plan = naming(source, () => planOf(job, devices, { record }));
  const data = await named(source, openData(job));
  try {
    const start = async () => startOf(job, resume ? await newestStep(job) : undefined);
    const { step: startStep } = await named(`${source}: ${startKey(submission)}`, start());
    const { steps, trainSamples, testSamples } = naming(source, () => scheduleOf(job, data, startStep));
    const replaced = resume ? 0 : (await listCheckpoints(job.checkpoint.directory)).length;
    return { job, plan, planHash: planHashOf(job, plan), trainSamples, testSamples, steps, startStep, replaced };
  } finally {
    await data.train.close();
    await data.test?.close();
  }
}

async function newestStep(job: Job): Promise<number> {
  const { directory } = job.checkpoint;
  const newest = (await listCheckpoints(directory)).at(-1);
  if (newest !== undefined) return newest;
  throw new InputError('checkpointMissing', `${directory}: holds no checkpoint to go on from; start without --resume`);
}
