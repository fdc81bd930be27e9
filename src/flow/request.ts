/** FlowRequest: everything that a by-hand flow is made of. */

import type { Model } from '../model/layers.ts';
import type { Partition } from '../planner/plan.ts';
import type { Box } from '../tensor/box.ts';

/** What the flow says of a stage; boxes by device. */
export interface FlowStage {
  readonly layers: readonly [start: number, end: number];
  readonly partition: Partition;
  readonly grid?: string;
  readonly owned: Readonly<Record<string, Box>>;
  readonly needed: Readonly<Record<string, Box>>;
  /** Bytes that travel for the stage in one step, all devices together. */
  readonly activationBytes: number;
  readonly parameterBytes: number;
}

/** What the flow says of a plan: `describePlan` gives it. */
export interface FlowPlan {
  readonly batch: number;
  readonly planHash: string;
  /** By device, in the order of ranks. */
  readonly predictedMemoryBytes: Readonly<Record<string, number>>;
  readonly bytesPerStep: number;
  readonly stages: readonly FlowStage[];
}

export interface FlowRequest {
  readonly plan: FlowPlan;
  readonly model: Model;
  /** The device whose flow it is. */
  readonly device: string;
  /** Fields of the mqtile-job; `path` as Node-RED will look for it, empty `grid` and `steps` for what the file says. */
  readonly job: { readonly name: string; readonly path: string; readonly grid: string; readonly steps: string };
  /** Fields of the mqtile-node. */
  readonly node: {
    readonly cluster: string;
    readonly listen: string;
    readonly insecure: boolean;
    readonly peers: readonly { readonly name: string; readonly address: string }[];
  };
  /** Every id begins with it. */
  readonly prefix: string;
  /** Of the tab. */
  readonly label: string;
}
