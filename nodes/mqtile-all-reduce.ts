/** mqtile-all-reduce: sums the gradients of all devices at their owners, for every stage whose backward is done. */

import type { Red } from './red.ts';
import type { StepFields } from './wired/fields.ts';
import { runVisualNode } from './wired/visual-node.ts';

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-all-reduce', function (fields: StepFields) {
    red.nodes.createNode(this, fields);
    runVisualNode(red, this, () => ({ node: fields.node, job: fields.job, role: { kind: 'allReduce' }, layers: '' }));
  });
}
