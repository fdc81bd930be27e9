/** Submission: a job as somebody handed it in. It travels as text, and every node parses it for itself, so nothing is taken on trust. */

import * as v from 'valibot';
import type { Job } from '../job/job.ts';
import { parseJob } from '../job/parse-job.ts';

const grid = v.pipe(
  v.tuple([v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.number(), v.integer(), v.minValue(1))]),
  v.readonly(),
);

export const submissionSchema = v.object({
  /** The job file. */
  text: v.pipe(v.string(), v.maxLength(1_000_000)),
  /** Folder that its relative paths start from; the same on every node. */
  directory: v.string(),
  /** Its name in messages. */
  source: v.string(),
  /** From the command line, instead of what the file says. */
  grid: v.optional(grid),
  steps: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  /** Go on from the newest checkpoint that all nodes can read. */
  resume: v.boolean(),
  /** Who writes checkpoints: rank 0 alone where all nodes share a disk, else every node. */
  writers: v.picklist(['first', 'all']),
});

export type Submission = v.InferOutput<typeof submissionSchema>;

/** @throws {InputError} of `parseJob` */
export function jobOf({ text, directory, source, grid: otherGrid, steps }: Submission): Job {
  const job = parseJob(text, directory, source);
  return {
    ...job,
    ...(otherGrid ? { plan: { ...('grid' in job.plan ? job.plan : {}), grid: otherGrid } } : {}),
    ...(steps === undefined ? {} : { until: { steps } }),
  };
}

/** The key of the job that says what training begins with. */
export function startKey({ resume }: Submission): string {
  return resume ? 'checkpoint.directory' : 'init';
}
