/** Where a step spends its time: every call as a submission of its own, added up by layer and pass, and by kind of call. */

import type { Layer, Model } from '../model/layers.ts';
import { activationShapes } from '../model/shapes.ts';
import { algorithmsOf } from '../planner/kernels.ts';
import type { KernelPlan, Plan } from '../planner/plan.ts';
import { multiplyAddsByLayer } from '../planner/work.ts';
import type { KernelCall } from '../tensor/call.ts';
import type { ConvolutionPass } from '../tensor/rates.ts';
import type { NamedPhase, StepSubject } from './step-subject.ts';

/** The parts of a step that a row of the profile stands for. */
export type StepPass =
  | 'forward'
  | 'recomputation'
  | 'loss'
  | 'activation gradient'
  | 'bias gradient'
  | 'weight gradient'
  | 'input gradient'
  | 'update';

/** One layer in one pass, or what belongs to no layer. */
export interface PassRow {
  readonly layer: string;
  readonly pass: StepPass;
  /** How convolutions are computed; for other layers the kind of their longest call; empty for what belongs to no layer. */
  readonly algorithm: string;
  readonly ms: number;
  /** Of multiplications and additions that the layer is defined by, once however strips overlap; 0 where it has none. */
  readonly gflops: number;
}

/** All calls of a kind together. */
export interface KindRow {
  readonly call: KernelCall['kind'];
  readonly calls: number;
  readonly ms: number;
}

export interface Profile {
  readonly passes: readonly PassRow[];
  readonly kinds: readonly KindRow[];
}

/** A call of a step, and its median time. */
interface TimedCall {
  readonly call: KernelCall;
  readonly layer: number | undefined;
  readonly pass: StepPass;
  readonly ms: number;
}

/** Runs `rounds` steps call by call, after one that is not counted. */
export async function profileStep({ arena, phases, model, plan }: StepSubject, rounds: number): Promise<Profile> {
  const calls = phases.flatMap(({ name, phase }) =>
    phase.calls[0].map((call, k) => {
      const pass = phase.recomputed[k] ? 'recomputation' : passOf(name, call);
      return { call, layer: phase.layers[k], pass };
    }),
  );
  const submissions = calls.map(({ call }) => arena.compile([call]));
  const times = calls.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [k, submission] of submissions.entries()) {
      const ms = await arena.run(submission);
      if (round > 0) times[k]!.push(ms);
    }
  }
  const timed = calls.map((call, k): TimedCall => ({ ...call, ms: medianOf(times[k]!) }));
  return { passes: passRows(timed, model, plan), kinds: kindRows(timed) };
}

/** The middle value, the upper one of two. */
export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Calls of backward that are told by their kind; all others there serve the input's gradient. */
const BACKWARD_PASSES: Partial<Record<KernelCall['kind'], StepPass>> = {
  activationBackward: 'activation gradient',
  sumPlanes: 'bias gradient',
  convolveWeights: 'weight gradient',
  convolveDepthwiseWeights: 'weight gradient',
  convolveWinogradWeights: 'weight gradient',
  denseWeights: 'weight gradient',
};

export function passOf(phase: NamedPhase['name'], { kind }: KernelCall): StepPass {
  return phase === 'backward' ? (BACKWARD_PASSES[kind] ?? 'input gradient') : phase;
}

function passRows(timed: readonly TimedCall[], model: Model, plan: Plan): readonly PassRow[] {
  const rows = Map.groupBy(timed, ({ layer, pass }) => `${layer ?? ''} ${pass}`);
  const shapes = activationShapes(model);
  const multiplyAdds = plan.stages.flatMap((stage) => multiplyAddsByLayer(model, shapes, stage, stage.owned[0]!));
  return [...rows.values()].map((calls) => {
    const { layer, pass } = calls[0]!;
    const ms = totalMs(calls);
    // A strip's adds to the gradients of those before it have none, and may be all that a pass of a layer does.
    const counted = calls.some(({ call }) => /^(convolve|dense)/.test(call.kind));
    const flops = counted && layer !== undefined ? 2 * multiplyAdds[layer]! : 0;
    const algorithm = layer === undefined ? '' : algorithmOf(calls, model.layers[layer]!, plan.kernels);
    return { layer: nameOf(model.layers, layer), pass, algorithm, ms, gflops: flops / ms / 1e6 };
  });
}

function kindRows(timed: readonly TimedCall[]): readonly KindRow[] {
  const kinds = Map.groupBy(timed, ({ call }) => call.kind);
  return [...kinds]
    .map(([call, calls]) => ({ call, calls: calls.length, ms: totalMs(calls) }))
    .toSorted((a, b) => b.ms - a.ms);
}

function totalMs(calls: readonly TimedCall[]): number {
  return calls.reduce((sum, { ms }) => sum + ms, 0);
}

/** Where a pass of the profile is one of a convolution. */
const CONVOLUTION_PASSES: Partial<Record<StepPass, ConvolutionPass>> = {
  forward: 'forward',
  recomputation: 'forward',
  'weight gradient': 'weightGradient',
  'input gradient': 'inputGradient',
};

function algorithmOf(calls: readonly TimedCall[], layer: Layer, kernels: KernelPlan): string {
  const { call, pass } = calls.reduce((longest, one) => (one.ms > longest.ms ? one : longest));
  const chosen = CONVOLUTION_PASSES[pass];
  return layer.kind === 'conv2d' && chosen ? algorithmsOf(kernels, layer)[chosen] : call.kind;
}

/** The name of a layer that has one, else its index and kind: `1 maxPool`. */
function nameOf(layers: readonly Layer[], index: number | undefined): string {
  if (index === undefined) return '';
  const layer = layers[index]!;
  return 'name' in layer ? layer.name : `${index} ${layer.kind}`;
}
