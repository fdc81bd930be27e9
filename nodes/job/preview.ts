/** What the dialog of an mqtile-job shows: the plan as it would be, its hash, or what is wrong with the fields. */

import { MqtileError, describePlan, jobOf, planHashOf, planOf, type PlanDescription } from 'mqtile';
import { isRecord } from '../cluster/job-watch.ts';
import { jobFieldsOf } from './fields.ts';
import { submissionOf } from './submission.ts';

export type Preview = PlanDescription | { readonly error: { readonly code: string; readonly reason: string } };

/** @param request of the dialog: `job`, its fields; `devices`: names by rank, separated by commas, else node1, node2, … */
export async function planPreview(request: unknown, userDirectory: string | undefined): Promise<Preview> {
  const { job: given, devices } = isRecord(request) ? request : {};
  const fields = jobFieldsOf(isRecord(given) ? given : {});
  try {
    const job = jobOf(await submissionOf(fields, userDirectory, { resume: false, writers: 'all' }));
    const named = typeof devices === 'string' && devices !== '' ? devices.split(',') : undefined;
    const plan = planOf(job, named ?? defaultDevices(job.plan));
    return describePlan(job, plan, planHashOf(job, plan));
  } catch (error) {
    if (error instanceof MqtileError) return { error: { code: error.code, reason: error.message } };
    throw error;
  }
}

/** As many as the grid has tiles. */
function defaultDevices(choice: Parameters<typeof planOf>[0]['plan']): readonly string[] {
  const grid = 'grid' in choice ? choice.grid : choice.stages.find((stage) => stage.grid)?.grid;
  return Array.from({ length: grid ? grid[0] * grid[1] : 1 }, (_, rank) => `node${rank + 1}`);
}
