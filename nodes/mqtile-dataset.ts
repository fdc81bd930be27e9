/** mqtile-dataset: where a step begins. Commands in, and the optimizer's message; batches out, and the end of each epoch. */

import { mqtileJob, type SubmissionChoice } from './mqtile-job.ts';
import { mqtileNode } from './mqtile-node.ts';
import type { FlowMessage, Red } from './red.ts';
import { obey, safely } from './safely.ts';
import { TrainControl, type Manner } from './train/control.ts';
import type { StepFields } from './wired/fields.ts';
import type { WiredFlow } from './wired/flow.ts';
import type { Role } from './wired/role.ts';
import { VisualNode } from './wired/visual-node.ts';

const ROLE: Role = { kind: 'dataset' };

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-dataset', function (fields: StepFields) {
    red.nodes.createNode(this, fields);
    const sources = {
      cluster: async () => mqtileNode(red, fields.node).embedded(),
      submission: async (choice: SubmissionChoice) => mqtileJob(red, fields.job).submission(choice),
    };
    let flow: WiredFlow | undefined;
    const manner: Manner = {
      commands: 'start, resume, pause, step, stop',
      by: 'wires',
      place: (event, message) => (event === 'step' ? undefined : [null, message]),
      reported: (run) => flow?.reported(run) ?? false,
    };
    const control = new TrainControl(this, sources, manner);
    const visual = new VisualNode(red, this, () => ({ node: fields.node, job: fields.job, role: ROLE, layers: '' }));
    this.on('input', (message, _, done) => obey(this, message, done, () => take(message, visual, control)));
    this.on('close', (done) => {
      control.close();
      done();
    });
    const begin = async () => {
      flow = await visual.flow.catch(() => undefined);
      // What keeps it from taking part has been reported.
      if (flow) await control.attach();
    };
    safely(this, {}, begin);
  });
}

/** A message of the optimizer asks for the next batch; everything else is a command. */
async function take(message: FlowMessage, visual: VisualNode, control: TrainControl): Promise<void> {
  if ((message['mqtile'] as { phase?: unknown } | undefined)?.phase === 'optimizer') return visual.call(message);
  const flow = await visual.flow;
  const { payload, ...origin } = message;
  if (payload === 'start' || payload === 'resume' || payload === 'step') {
    await visual.check();
    flow.origin = origin;
  }
  if (payload === 'step') flow.stepOnce();
  await control.command(payload === 'step' ? { ...message, payload: 'start' } : message);
}
