/** Fields of the wired nodes' dialogs, which Node-RED stores as they are and does not check. */

import { InputError } from 'mqtile';
import type { FlowNode, Red } from '../red.ts';
import type { Place } from './visual-node.ts';

/** Ids of configuration nodes. */
export interface StepFields {
  readonly node: string;
  readonly job: string;
}

export interface StageFields extends StepFields {
  /** Index of the stage, from 0; a number as text. */
  readonly stage: string | number;
  /** Its layers when it was chosen, e.g. `0-3`. */
  readonly layers: string;
}

export interface BackwardFields {
  /** Id of the mqtile-forward of the same stage. */
  readonly forward: string;
}

/** @throws {InputError} `keyInvalid` */
export function stageOf({ stage }: StageFields): number {
  const index = stage === '' ? Number.NaN : Number(stage);
  if (Number.isInteger(index) && index >= 0) return index;
  throw new InputError(
    'keyInvalid',
    `stage: got ${JSON.stringify(stage)}, want a stage of the plan; open this node and choose one`,
  );
}

/** The place of a backward node beside its forward twin. @throws {InputError} `forwardMissing` */
export function twinOf(red: Red, { forward }: BackwardFields): Place {
  const twin = red.nodes.getNode(forward);
  if (!twin || !('place' in twin)) {
    throw new InputError(
      'forwardMissing',
      'this mqtile-backward has no forward: the mqtile-forward that it names is not deployed; open it and choose one',
    );
  }
  const { node, job, role, layers } = (twin as ForwardNode).place();
  return { node, job, layers, role: { ...role, kind: 'backward' } as Place['role'] };
}

interface ForwardNode extends FlowNode {
  place(): Place;
}
