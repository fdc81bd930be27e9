/** mqtile-forward: computes one fused stage of the network on this device's tile, and sends neighbours what the next stage needs. */

import type { Red } from './red.ts';
import { stageOf, type StageFields } from './wired/fields.ts';
import { runVisualNode, type Place } from './wired/visual-node.ts';

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-forward', function (fields: StageFields) {
    red.nodes.createNode(this, fields);
    const place = (): Place => ({ ...fields, role: { kind: 'forward', stage: stageOf(fields) } });
    // Its backward twin asks where it is.
    Object.assign(this, { place });
    runVisualNode(red, this, place);
  });
}
