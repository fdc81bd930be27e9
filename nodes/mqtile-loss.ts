/** mqtile-loss: compares the last stage's output with the labels; its tensor is where backward begins. */

import type { Red } from './red.ts';
import type { StepFields } from './wired/fields.ts';
import { runVisualNode } from './wired/visual-node.ts';

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-loss', function (fields: StepFields) {
    red.nodes.createNode(this, fields);
    runVisualNode(red, this, () => ({ node: fields.node, job: fields.job, role: { kind: 'loss' }, layers: '' }));
  });
}
