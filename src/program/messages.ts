/** The message table: every message of an iteration with its peers, boxes and size. The same list on every node. */

import { METRICS, type ParameterPlan, type Plan, type Stage } from '../planner/plan.ts';
import { isEmpty, volume, type Box } from '../tensor/box.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import { adjoint, redistribute, type Transfer } from './exchange.ts';

/** What an iteration does. The order of iterations follows from the job alone. */
export type IterationKind = 'train' | 'evaluate' | 'checkpoint';

/** Where in an iteration a message belongs. */
export type Purpose = 'forward' | 'backward' | 'gradient' | 'weights' | 'gather';

/** A box of a named tensor inside a message; parts follow each other without gaps. */
export interface MessagePart {
  /** Parameter name, `momentum.` and a parameter name, or '' for the stage's activation or its gradient. */
  readonly tensor: string;
  readonly box: Box;
}

export interface Message {
  /** Position in the table of its iteration. */
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly purpose: Purpose;
  /** Stage whose input (forward, backward) or parameters (gradient, weights) travel; 0 for gather. */
  readonly stage: number;
  readonly parts: readonly MessagePart[];
  readonly bytes: number;
}

/** Topic leaf of each purpose: halos go before parameter buckets. */
export function channelOf(purpose: Purpose): 'activation' | 'gradient' | 'weights' {
  if (purpose === 'forward') return 'activation';
  return purpose === 'backward' ? 'gradient' : 'weights';
}

/** All boxes of one stage and owner: they travel together. */
export interface Bucket {
  readonly stage: number;
  readonly owner: number;
  readonly parts: readonly { readonly parameter: ParameterPlan; readonly box: Box }[];
}

export interface TableRequest {
  readonly plan: Plan;
  /** The plan's stages, clipped to the samples of this iteration. */
  readonly stages: readonly Stage[];
  readonly kind: IterationKind;
  /** Ranks that write checkpoints. */
  readonly writers: readonly number[];
  /** Whether owners keep momentum. */
  readonly momentum: boolean;
}

/** Buckets of the parameters that `keep` accepts, by stage and owner. */
export function bucketsOf(plan: Plan, keep: (parameter: ParameterPlan) => boolean = () => true): readonly Bucket[] {
  const buckets: Bucket[] = [];
  plan.stages.forEach((_, stage) =>
    plan.devices.forEach((__, owner) => {
      const parts = plan.parameters
        .filter((parameter) => parameter.stage === stage && keep(parameter))
        .flatMap((parameter) =>
          parameter.pieces.filter((piece) => piece.owner === owner).map(({ box }) => ({ parameter, box })),
        );
      if (parts.length > 0) buckets.push({ stage, owner, parts });
    }),
  );
  return buckets;
}

/** Ranks that contribute to a parameter's gradient when some boxes are empty: a smaller batch may leave a device out. */
export function contributorsOf(parameter: ParameterPlan, stages: readonly Stage[]): readonly number[] {
  return parameter.contributors.filter((rank) => !isEmpty(stages[parameter.stage]!.owned[rank]!));
}

/** Every message of one iteration, in an order that depends on the plan alone. */
export function messageTable(request: TableRequest): readonly Message[] {
  const drafts = request.kind === 'checkpoint' ? gatherMessages(request) : stepMessages(request);
  return drafts.map((draft, id) => ({
    ...draft,
    id,
    bytes: draft.parts.reduce((sum, part) => sum + volume(part.box) * FLOAT_BYTES, 0),
  }));
}

type Draft = Omit<Message, 'id' | 'bytes'>;

function stepMessages({ plan, stages, kind }: TableRequest): readonly Draft[] {
  const train = kind === 'train';
  const drafts: Draft[] = [];
  for (let stage = 1; stage < stages.length; stage++) {
    const [owned, needed] = [stages[stage - 1]!.owned, stages[stage]!.needed];
    const add = (purpose: Purpose) => (transfer: Transfer) =>
      drafts.push({
        from: transfer.from,
        to: transfer.to,
        purpose,
        stage,
        parts: [{ tensor: '', box: transfer.box }],
      });
    redistribute(owned, needed).forEach(add('forward'));
    if (train && learnsBefore(plan, stage)) adjoint(owned, needed).forEach(add('backward'));
  }
  for (const bucket of bucketsOf(plan, (parameter) => train || parameter.name === METRICS)) {
    drafts.push(...bucketMessages(bucket, stages, plan.devices.length));
  }
  return drafts;
}

/** Whether a stage before this one has parameters: only then is the gradient of this one's input of use to anybody. */
export function learnsBefore(plan: Plan, stage: number): boolean {
  return plan.parameters.some((parameter) => parameter.name !== METRICS && parameter.stage < stage);
}

function bucketMessages({ stage, owner, parts }: Bucket, stages: readonly Stage[], devices: number): readonly Draft[] {
  const drafts: Draft[] = [];
  for (let peer = 0; peer < devices; peer++) {
    if (peer === owner) continue;
    const given = parts.filter(({ parameter }) => contributorsOf(parameter, stages).includes(peer));
    const held = parts.filter(({ parameter }) => parameter.holders.includes(peer));
    if (given.length > 0) drafts.push({ from: peer, to: owner, purpose: 'gradient', stage, parts: given.map(asPart) });
    if (held.length > 0) drafts.push({ from: owner, to: peer, purpose: 'weights', stage, parts: held.map(asPart) });
  }
  return drafts;
}

function asPart({ parameter, box }: Bucket['parts'][number]): MessagePart {
  return { tensor: parameter.name, box };
}

/** Before a checkpoint is written, writers receive the momentum of every owner, and the weights that they do not hold. */
function gatherMessages({ plan, writers, momentum }: TableRequest): readonly Draft[] {
  const trained = plan.parameters.filter(({ name }) => name !== METRICS);
  const drafts: Draft[] = [];
  plan.devices.forEach((_, from) =>
    writers
      .filter((to) => to !== from)
      .forEach((to) => {
        const parts = trained.flatMap((parameter) =>
          parameter.pieces
            .filter(({ owner }) => owner === from)
            .flatMap(({ box }) => [
              ...(parameter.holders.includes(to) ? [] : [{ tensor: parameter.name, box }]),
              ...(momentum ? [{ tensor: momentumName(parameter.name), box }] : []),
            ]),
        );
        if (parts.length > 0) drafts.push({ from, to, purpose: 'gather', stage: 0, parts });
      }),
  );
  return drafts;
}

/** Names of optimizer state begin so, in messages and checkpoints; everything else there is a weight or a bias. */
export const MOMENTUM_PREFIX = 'momentum.';

/** Name of a parameter's momentum. */
export function momentumName(parameter: string): string {
  return `${MOMENTUM_PREFIX}${parameter}`;
}
