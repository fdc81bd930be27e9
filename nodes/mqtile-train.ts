/** mqtile-train: trains a whole job. Commands in; progress and the finished model out. */

import { mqtileJob } from './mqtile-job.ts';
import { mqtileNode } from './mqtile-node.ts';
import type { Done, FlowMessage, FlowNode, Red } from './red.ts';
import { safely, showError } from './safely.ts';
import { TrainControl } from './train/control.ts';

/** Fields of the edit dialog: ids of configuration nodes. */
interface TrainFields {
  readonly node: string;
  readonly job: string;
}

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-train', function (fields: TrainFields) {
    red.nodes.createNode(this, fields);
    const control = new TrainControl(this, {
      cluster: async () => mqtileNode(red, fields.node).cluster(),
      submission: async (choice) => mqtileJob(red, fields.job).submission(choice),
    });
    this.on('input', (message, _, done) => void obey(this, control, message, done));
    this.on('close', (done) => {
      control.close();
      done();
    });
    safely(this, {}, () => control.attach());
  });
}

/** Never rejects: Node-RED would end. */
async function obey(node: FlowNode, control: TrainControl, message: FlowMessage, done: Done): Promise<void> {
  try {
    await control.command(message);
    done();
  } catch (error) {
    safely(node, message, () => {
      showError(node, error);
      done(error);
    });
  }
}
