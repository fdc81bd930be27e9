/** Random small networks, and random ways to cut them into stages and boxes, for property tests. */

import fc from 'fast-check';
import type { Activation, Layer, Model } from '../../src/model/layers.ts';
import { activationShapes, isSpatial, type Shape } from '../../src/model/shapes.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { Grid, Partition, Plan } from '../../src/planner/plan.ts';

/** A network and a plan for it. */
export interface Planned {
  readonly model: Model;
  readonly plan: Plan;
}

interface StageDraft {
  readonly layers: readonly [number, number];
  readonly partition: Partition;
  readonly grid?: Grid;
}

/** How a convolution's channels are grouped, once it is known how many it gets. */
type Grouping = 'none' | 'groups' | 'depthwise';

interface Draft {
  readonly layer: Layer;
  readonly grouping: Grouping;
}

const activation = fc.constantFrom<Activation>(
  { kind: 'identity' },
  { kind: 'relu' },
  { kind: 'leakyRelu', slope: 0.125 },
);

const convolution = fc
  .record({
    kernel: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.nat(4),
    filters: fc.integer({ min: 1, max: 5 }),
    dilation: fc.constantFrom(1, 1, 1, 2, 3),
    grouping: fc.constantFrom<Grouping>('none', 'none', 'groups', 'depthwise'),
    activation,
  })
  .map(({ padding, dilation, grouping, ...rest }): Draft => {
    const reach = (rest.kernel - 1) * dilation + 1;
    const layer = { kind: 'conv2d', name: '', padding: Math.min(padding, reach - 1), ...rest } as const;
    return { layer: dilation === 1 ? layer : { ...layer, dilation }, grouping };
  });

const pool = fc
  .record({
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.nat(2),
  })
  .map(({ padding, ...rest }): Draft => {
    const layer: Layer = { kind: 'maxPool', padding: Math.min(padding, Math.floor(rest.kernel / 2)), ...rest };
    return { layer, grouping: 'none' };
  });

/** Convolutions and poolings of every kernel, stride, padding, dilation and number of groups that a job may ask for, with or without a dense head. */
export const networks: fc.Arbitrary<Model> = fc
  .record({
    input: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 3, max: 15 }), fc.integer({ min: 3, max: 15 })),
    layers: fc.array(fc.oneof({ weight: 2, arbitrary: convolution }, pool), { minLength: 1, maxLength: 4 }),
    head: fc.boolean(),
  })
  .map(({ input, layers, head }) => {
    const spatial = fitting(input, layers);
    const last: readonly Layer[] = head
      ? [{ kind: 'flatten' }, dense('fc1', 5, { kind: 'relu' }), dense('fc2', 3, { kind: 'identity' })]
      : [];
    return {
      name: 'random',
      input,
      layers: [...spatial, ...last].map((layer, i) => (layer.kind === 'conv2d' ? { ...layer, name: `c${i}` } : layer)),
      loss: head ? 'softmaxCrossEntropy' : 'meanSquares',
    };
  });

/** Stages are kept whole half the time; strips of one that is not recomputed show in evaluations. */
const walk = fc.record({ recompute: fc.boolean(), strips: fc.constantFrom(1, 1, 2, 3, 5, 20) });

/** Networks cut at random into stages of tiles, samples or one device, for 1 to 6 devices, recomputed or not, whole or in strips. */
export const plannedNetworks: fc.Arbitrary<Planned> = fc
  .record({
    model: networks,
    devices: fc.integer({ min: 1, max: 6 }),
    batch: fc.integer({ min: 1, max: 5 }),
    cuts: fc.infiniteStream(fc.boolean()),
    choices: fc.infiniteStream(fc.nat(100)),
    walks: fc.infiniteStream(walk),
  })
  .map(({ model, devices, batch, cuts, choices, walks }) => {
    const next = <T>(stream: Iterator<T>): T => stream.next().value as T;
    const stages = cutStages(model, () => next(cuts)).map((layers) => ({
      ...chooseStage(model, layers, { devices, choice: next(choices) }),
      ...next(walks),
    }));
    const names = Array.from({ length: devices }, (_, rank) => `node${rank + 1}`);
    return { model, plan: makePlan(model, names, { batch, request: { stages } }) };
  });

function dense(name: string, units: number, activation: Activation): Layer {
  return { kind: 'dense', name, units, activation };
}

/** The layers that still find a pixel to look at, one after another; at least one. */
function fitting(input: Shape, drafts: readonly Draft[]): readonly Layer[] {
  const kept: Layer[] = [];
  for (const draft of drafts) {
    try {
      const layer = grouped(draft, activationShapes({ name: '', input, layers: kept, loss: 'meanSquares' }).at(-1)![0]);
      activationShapes({ name: '', input, layers: [...kept, layer], loss: 'meanSquares' });
      kept.push(layer);
    } catch {
      // Too large a window for what the layers before it left.
    }
  }
  const point: Layer = {
    kind: 'conv2d',
    name: '',
    filters: 2,
    kernel: 1,
    stride: 1,
    padding: 0,
    activation: { kind: 'relu' },
  };
  return kept.length > 0 ? kept : [point];
}

/** As many groups as the channels allow: two or three, or one a channel. */
function grouped({ layer, grouping }: Draft, channels: number): Layer {
  if (layer.kind !== 'conv2d' || grouping === 'none' || channels === 1) return layer;
  if (grouping === 'depthwise') return { ...layer, groups: channels, filters: channels };
  const groups = [2, 3].find((count) => channels % count === 0);
  return groups === undefined ? layer : { ...layer, groups, filters: groups * Math.ceil(layer.filters / groups) };
}

function cutStages(model: Model, cut: () => boolean): readonly (readonly [number, number])[] {
  const edges = [
    0,
    ...model.layers.map((_, index) => index).filter((index) => index > 0 && cut()),
    model.layers.length,
  ];
  return edges.slice(1).map((end, k) => [edges[k]!, end]);
}

/** Tiles two times out of three where a grid fits. */
function chooseStage(
  model: Model,
  layers: readonly [number, number],
  { devices, choice }: { devices: number; choice: number },
): StageDraft {
  const [, rows, columns] = activationShapes(model)[layers[1]]!;
  const grids = Array.from({ length: devices }, (_, k): Grid => [k + 1, devices / (k + 1)]).filter(
    ([r, c]) => Number.isInteger(c) && r <= rows && c <= columns,
  );
  const spatial = model.layers.slice(...layers).every(isSpatial);
  if (spatial && grids.length > 0 && choice % 3 > 0) {
    return { layers, partition: 'tiles', grid: grids[choice % grids.length]! };
  }
  return { layers, partition: choice % 2 === 0 ? 'samples' : 'single' };
}
