/** mqtile-train: trains a whole job. Commands in; progress and the finished model out. */

import { mqtileJob, type SubmissionChoice } from './mqtile-job.ts';
import { mqtileNode } from './mqtile-node.ts';
import type { Red } from './red.ts';
import { obey, safely } from './safely.ts';
import { TrainControl, type Manner } from './train/control.ts';

/** Fields of the edit dialog: ids of configuration nodes. */
interface TrainFields {
  readonly node: string;
  readonly job: string;
}

const MANNER: Manner = {
  commands: 'start, resume, pause, stop',
  by: 'trainer',
  place: (event, message) => (event === 'finished' ? [null, message] : [message, null]),
  reported: () => false,
};

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-train', function (fields: TrainFields) {
    red.nodes.createNode(this, fields);
    const sources = {
      cluster: async () => mqtileNode(red, fields.node).cluster(),
      submission: async (choice: SubmissionChoice) => mqtileJob(red, fields.job).submission(choice),
    };
    const control = new TrainControl(this, sources, MANNER);
    this.on('input', (message, _, done) => obey(this, message, done, () => control.command(message)));
    this.on('close', (done) => {
      control.close();
      done();
    });
    safely(this, {}, () => control.attach());
  });
}
