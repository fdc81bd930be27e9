/** mqtile-backward: computes the gradients of one fused stage on this device's tile, and returns to neighbours what is theirs. */

import type { Red } from './red.ts';
import { twinOf, type BackwardFields } from './wired/fields.ts';
import { runVisualNode } from './wired/visual-node.ts';

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-backward', function (fields: BackwardFields) {
    red.nodes.createNode(this, fields);
    runVisualNode(red, this, () => twinOf(red, fields));
  });
}
