/** The plan: who owns, needs and computes what, decided before the first step. Pure data: JSON that every node recomputes and compares. */

import type { Box, Extent, Range } from '../tensor/box.ts';

/** How a stage's output is cut: rows and columns, samples, or not at all. */
export type Partition = 'tiles' | 'samples' | 'single';

/** Rows and columns of tiles. */
export type Grid = readonly [rows: number, columns: number];

/** How a device walks its part of a stage. */
export interface Walk {
  /** Backward computes the stage's forward again, so that nothing between its input and its output is kept for it. */
  readonly recompute?: boolean | undefined;
  /** In how many parts, one after another; 1 where it is left out. In training only what is recomputed goes in parts, because the rest is kept anyway. */
  readonly strips?: number | undefined;
}

/** A run of consecutive layers that every device executes without talking. */
export interface Stage extends Walk {
  /** Half-open range of layer indices. */
  readonly layers: Range;
  readonly partition: Partition;
  readonly grid?: Grid;
  /** By rank: the disjoint boxes of the stage's output; together they cover it. */
  readonly owned: readonly Box[];
  /** By rank: the boxes of the stage's input that the owned ones need (owned part and halo). */
  readonly needed: readonly Box[];
}

/** A box of a parameter that one device sums, updates and hands out. */
export interface ParameterPiece {
  readonly box: Box;
  readonly owner: number;
}

/** Who computes, needs and owns a parameter. Ranks are ascending. */
export interface ParameterPlan {
  readonly name: string;
  readonly stage: number;
  readonly extent: Extent;
  /** Who computes a part of its gradient. */
  readonly contributors: readonly number[];
  /** Who needs it in the next step. */
  readonly holders: readonly number[];
  readonly pieces: readonly ParameterPiece[];
}

/** How a convolution is computed: as its formula says, or by Winograd's F(4x4, 3x3), which needs fewer multiplications. */
export type Algorithm = 'direct' | 'winograd';

/** The algorithm of each pass of a convolution; one choice for all devices, so that others can go on with a run. */
export interface ConvolutionAlgorithms {
  readonly forward: Algorithm;
  readonly inputGradient: Algorithm;
  readonly weightGradient: Algorithm;
}

/**
 * Which kernels compute, and so the order of every sum. `strict`: direct ones without fused multiply-adds, the same bits on every CPU.
 * `fast`: fused multiply-adds, and what was measured to be fastest.
 */
export type KernelPlan =
  | { readonly mode: 'strict' }
  | {
      readonly mode: 'fast';
      /** By rank: whether register tiles are two vectors wide. */
      readonly wide: readonly boolean[];
      /** By name of a convolution; direct where it is absent. */
      readonly convolutions: Readonly<Record<string, ConvolutionAlgorithms>>;
    };

export interface Plan {
  readonly version: 1;
  readonly model: string;
  /** Names by rank. */
  readonly devices: readonly string[];
  /** Samples of a full batch; a smaller batch is the same plan with ranges of samples clipped. */
  readonly batch: number;
  /** By rank: the box of the input that the device has before the step. */
  readonly input: readonly Box[];
  readonly stages: readonly Stage[];
  /** Parameters in layer order; the last one is {@link METRICS}. */
  readonly parameters: readonly ParameterPlan[];
  readonly kernels: KernelPlan;
}

/** Name of the parameter-like box of sums that everybody wants: loss, correct answers, then one flag per rank for a loss that is not finite. */
export const METRICS = 'metrics';

/** Entries of {@link METRICS} before the flags. */
export const METRIC_SUMS = 2;

/** A stage as a job asks for it. */
export interface StageRequest extends Walk {
  readonly layers: Range;
  readonly partition: Partition;
  readonly grid?: Grid | undefined;
}

/** What the job says about the plan: a grid, and how its tiles are walked, or every stage by hand. */
export type PlanRequest = (Walk & { readonly grid: Grid }) | { readonly stages: readonly StageRequest[] };
