/** Role: what a visual node does in the training step of one device. */

export type Role =
  | { readonly kind: 'dataset' | 'loss' | 'allReduce' | 'optimizer' }
  /** Stages count from 0 here and in plans, from 1 wherever people read. */
  | { readonly kind: 'forward' | 'backward'; readonly stage: number };

/** The types of the palette by what they do. */
const TYPES: Readonly<Record<Role['kind'], string>> = {
  dataset: 'mqtile-dataset',
  forward: 'mqtile-forward',
  loss: 'mqtile-loss',
  backward: 'mqtile-backward',
  allReduce: 'mqtile-all-reduce',
  optimizer: 'mqtile-optimizer',
};

/** The role for people, and as a key: `mqtile-forward of stage 2`. */
export function nameOf(role: Role): string {
  const type = TYPES[role.kind];
  return 'stage' in role ? `${type} of stage ${role.stage + 1}` : type;
}

/** Every role that a step of this many stages needs, in its order. */
export function rolesOf(stages: number): readonly Role[] {
  const each = Array.from({ length: stages }, (_, stage) => stage);
  return [
    { kind: 'dataset' },
    ...each.map((stage): Role => ({ kind: 'forward', stage })),
    { kind: 'loss' },
    ...each.toReversed().map((stage): Role => ({ kind: 'backward', stage })),
    { kind: 'allReduce' },
    { kind: 'optimizer' },
  ];
}
