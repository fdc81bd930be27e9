/** mqtile-job: which job is trained. Configuration for the nodes that use it; its dialog shows the plan. */

import { submissionOf, type JobFields } from './job/submission.ts';
import { planPreview } from './job/preview.ts';
import type { FlowNode, Red } from './red.ts';
import type { Submission } from 'mqtile';

/** An mqtile-job as others use it. */
export interface MqtileJob extends FlowNode {
  /** Reads the job file anew. @throws {InputError} */
  submission(choice: SubmissionChoice): Promise<Submission>;
}

export type SubmissionChoice = Pick<Submission, 'resume' | 'writers'>;

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-job', function (fields: JobFields) {
    red.nodes.createNode(this, fields);
    const submission = (choice: SubmissionChoice) => submissionOf(fields, red.settings.userDir, choice);
    Object.assign(this, { submission });
  });
  // A job names files of this computer, and errors quote them: for those who may edit flows, who can read files anyway.
  red.httpAdmin?.get('/mqtile/plan', red.auth.needsPermission('flows.write'), ({ query }, response) => {
    planPreview(query, red.settings.userDir).then(
      (preview) => response.status('error' in preview ? 400 : 200).json(preview),
      (error: unknown) => response.status(500).json({ error: { code: 'internal', reason: String(error) } }),
    );
  });
}

/** @throws {Error} when the dialog names none */
export function mqtileJob(red: Red, id: string): MqtileJob {
  const node = red.nodes.getNode(id);
  if (node && 'submission' in node) return node as MqtileJob;
  throw new Error('no job is chosen; open this node and choose one under Job');
}
