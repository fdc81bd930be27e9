/** describePlan: a plan in figures that people and programs read: boxes, halos, bytes and memory. */

import type { Job } from '../job/job.ts';
import type { Model } from '../model/layers.ts';
import { activationShapes, type Shape } from '../model/shapes.ts';
import { algorithmsOf } from '../planner/kernels.ts';
import type { ConvolutionAlgorithms, KernelPlan, Partition, Plan, Stage } from '../planner/plan.ts';
import { walkedBoxes } from '../planner/strips.ts';
import { multiplyAddsByLayer } from '../planner/work.ts';
import { compileProgram } from '../program/compile.ts';
import type { Message } from '../program/messages.ts';
import type { Program } from '../program/program.ts';
import { CHUNK_BYTES, HEADER_BYTES } from '../protocol/frame.ts';
import type { Box } from '../tensor/box.ts';

export interface StageDescription {
  readonly layers: readonly [start: number, end: number];
  readonly partition: Partition;
  readonly grid?: string;
  readonly recompute?: boolean;
  readonly strips?: number;
  /** Boxes of the stage's output and input by device: [start, end) for n, c, y, x. */
  readonly owned: Readonly<Record<string, Box>>;
  readonly needed: Readonly<Record<string, Box>>;
  /** Forward multiply-adds of all devices together for one batch, and how many times those of one device that is: tiles and strips overlap. */
  readonly multiplyAdds: number;
  readonly overlap: number;
  /** Bytes that travel for the stage in one training step, all devices together: its input and that input's gradient; its parameters' gradients and values. */
  readonly activationBytes: number;
  readonly parameterBytes: number;
}

export interface PlanDescription {
  readonly event: 'plan';
  readonly model: string;
  readonly batch: number;
  readonly planHash: string;
  readonly mode: KernelPlan['mode'];
  /** How the passes of each convolution are computed, by its name. */
  readonly algorithms: Readonly<Record<string, ConvolutionAlgorithms>>;
  /** By device: what its arena takes, which is what its memory grows by. */
  readonly predictedMemoryBytes: Readonly<Record<string, number>>;
  /** Bytes that all devices together send in one training step. */
  readonly bytesPerStep: number;
  readonly stages: readonly StageDescription[];
}

/** Compiles the plan for every device, as training would, and reads the figures off the programs. */
export function describePlan(job: Job, plan: Plan, planHash: string): PlanDescription {
  const programs = plan.devices.map((_, rank) => compile(job, plan, rank));
  const messages = programs[0]!.iterations.get(`train:${plan.batch}`)!.messages;
  return {
    event: 'plan',
    model: plan.model,
    batch: plan.batch,
    planHash,
    mode: plan.kernels.mode,
    algorithms: algorithmsByLayer(job.model, plan),
    predictedMemoryBytes: byDevice(plan, (rank) => programs[rank]!.arenaBytes),
    bytesPerStep: bytesOf(messages),
    stages: plan.stages.map((stage, index) => describeStage(job.model, plan, { stage, index, messages })),
  };
}

function algorithmsByLayer({ layers }: Model, { kernels }: Plan): PlanDescription['algorithms'] {
  const convolutions = layers.filter((layer) => layer.kind === 'conv2d');
  return Object.fromEntries(convolutions.map((layer) => [layer.name, algorithmsOf(kernels, layer)]));
}

/** Full batches need the most memory, so the smaller ones of real data do not change the figure. */
function compile(job: Job, plan: Plan, rank: number): Program {
  const { mean, std: deviation } = job.data.normalize;
  return compileProgram(job.model, plan, rank, {
    framing: { chunkBytes: CHUNK_BYTES, headerBytes: HEADER_BYTES },
    optimizer: job.optimizer,
    normalization: { mean, deviation },
    writers: [0],
    variants: [
      { kind: 'train', samples: plan.batch },
      { kind: 'evaluate', samples: plan.batch },
      { kind: 'checkpoint', samples: plan.batch },
    ],
  });
}

interface StageSite {
  readonly stage: Stage;
  readonly index: number;
  readonly messages: readonly Message[];
}

function describeStage(model: Model, plan: Plan, { stage, index, messages }: StageSite): StageDescription {
  const shapes = activationShapes(model);
  const ofStage = (purposes: readonly string[]) =>
    bytesOf(messages.filter((message) => message.stage === index && purposes.includes(message.purpose)));
  const multiplyAdds = (box: Box) =>
    multiplyAddsByLayer(model, shapes, stage, box).reduce((sum, layer) => sum + layer, 0);
  const whole = multiplyAdds(wholeOutput(plan, shapes, stage));
  const all = stage.owned
    .flatMap((box) => walkedBoxes(stage, box, true))
    .reduce((sum, box) => sum + multiplyAdds(box), 0);
  return {
    layers: [stage.layers[0], stage.layers[1]],
    partition: stage.partition,
    ...(stage.grid ? { grid: stage.grid.join('x') } : {}),
    ...(stage.recompute === undefined ? {} : { recompute: stage.recompute }),
    ...(stage.strips === undefined ? {} : { strips: stage.strips }),
    owned: byDevice(plan, (rank) => stage.owned[rank]!),
    needed: byDevice(plan, (rank) => stage.needed[rank]!),
    multiplyAdds: all,
    overlap: whole === 0 ? 1 : all / whole,
    activationBytes: ofStage(['forward', 'backward']),
    parameterBytes: ofStage(['gradient', 'weights']),
  };
}

function wholeOutput(plan: Plan, shapes: readonly Shape[], stage: Stage): Box {
  const [c, h, w] = shapes[stage.layers[1]]!;
  return [
    [0, plan.batch],
    [0, c],
    [0, h],
    [0, w],
  ];
}

function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { bytes }) => sum + bytes, 0);
}

function byDevice<T>(plan: Plan, of: (rank: number) => T): Record<string, T> {
  return Object.fromEntries(plan.devices.map((name, rank) => [name, of(rank)]));
}
