/** mqtile-optimizer: updates the parameters that this device owns, and hands the new ones to all; its output asks for the next batch. */

import type { Red } from './red.ts';
import type { StepFields } from './wired/fields.ts';
import { runVisualNode } from './wired/visual-node.ts';

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-optimizer', function (fields: StepFields) {
    red.nodes.createNode(this, fields);
    runVisualNode(red, this, () => ({ node: fields.node, job: fields.job, role: { kind: 'optimizer' }, layers: '' }));
  });
}
