/** Wiring: whether the visual nodes of a flow are those that a plan's step needs. Pure. */

import { InputError, type Plan } from 'mqtile';
import { nameOf, rolesOf, type Role } from './role.ts';

/** What is checked of a visual node. */
export interface Wired {
  readonly role: Role;
  /** Layers of its stage when it was chosen from the plan, e.g. `0-3`; empty where nobody chose. */
  readonly layers: string;
}

/** First and last layer of a stage, as plans are printed. */
export function layersOf({ stages }: Pick<Plan, 'stages'>, stage: number): string | undefined {
  const layers = stages[stage]?.layers;
  return layers && `${layers[0]}-${layers[1] - 1}`;
}

/** @throws {InputError} `stageUnknown`, `planChanged` where a stage of this node is not, or no longer, what the plan says */
export function checkStage({ role, layers }: Wired, plan: Pick<Plan, 'stages'>): void {
  if (!('stage' in role)) return;
  const planned = layersOf(plan, role.stage);
  if (planned === undefined) {
    throw new InputError(
      'stageUnknown',
      `${nameOf(role)}: the plan has ${plan.stages.length} stages; take this node out, or generate the flow anew with mqtile flow`,
    );
  }
  if (layers !== '' && layers !== planned) {
    throw new InputError(
      'planChanged',
      `${nameOf(role)}: the plan has changed: layers ${layers} when the stage was chosen, ${planned} now; open the node and choose its stage, or generate the flow anew with mqtile flow`,
    );
  }
}

/** @throws {InputError} `stageUnknown`, `planChanged`, `wiringIncomplete` when a role of the step has no node */
export function checkWiring(parts: readonly Wired[], plan: Pick<Plan, 'stages'>, job: string): void {
  for (const part of parts) checkStage(part, plan);
  const present = new Set(parts.map(({ role }) => nameOf(role)));
  const missing = rolesOf(plan.stages.length)
    .map(nameOf)
    .filter((name) => !present.has(name));
  if (missing.length === 0) return;
  throw new InputError(
    'wiringIncomplete',
    `the flow of job ${job} has no ${missing.join(', no ')}; add what is missing, or generate the flow anew with mqtile flow`,
  );
}
