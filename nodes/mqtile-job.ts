/** mqtile-job: which job is trained. Configuration for the nodes that use it; its dialog shows the plan. */

import { jobFieldsOf } from './job/fields.ts';
import { planPreview } from './job/preview.ts';
import { submissionOf } from './job/submission.ts';
import type { FlowNode, Red } from './red.ts';
import type { Submission } from 'mqtile';

/** An mqtile-job as others use it. */
export interface MqtileJob extends FlowNode {
  /** Reads the job anew. @throws {InputError} */
  submission(choice: SubmissionChoice): Promise<Submission>;
}

export type SubmissionChoice = Pick<Submission, 'resume' | 'writers'>;

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-job', function (given: Readonly<Record<string, unknown>>) {
    red.nodes.createNode(this, given);
    const fields = jobFieldsOf(given);
    const submission = (choice: SubmissionChoice) => submissionOf(fields, red.settings.userDir, choice);
    Object.assign(this, { submission });
  });
  // A job names files of this computer, and errors quote them: for those who may edit flows, who can read files anyway.
  red.httpAdmin?.post('/mqtile/plan', red.auth.needsPermission('flows.write'), ({ body }, response) => {
    planPreview(body, red.settings.userDir).then(
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
