/** planned: the plan of a run, made small: which device owns which box. */

import type { Plan } from 'mqtile';
import { isRecord } from '../cluster/job-watch.ts';
import type { FlowMessage } from '../red.ts';

type Box = Plan['stages'][number]['owned'][number];

/**
 * Pure. @param topic `mqtile/<cluster>/job/<job>/plan`
 * @param chosen `plan` for all stages, `tiles` for the output of the first one; boxes are [start, end) of sample, channel, row and column
 * @returns one message for each that is chosen; none for what is no plan
 */
export function planned(
  topic: string,
  document: Readonly<Record<string, unknown>>,
  chosen: readonly string[],
): readonly FlowMessage[] {
  const { run, planHash, plan } = document;
  if (!isPlan(plan)) return [];
  const { model, batch, devices, stages } = plan;
  const job = topic.split('/')[3];
  const about = { job, mqtile: { run } };
  const owned = (boxes: readonly Box[]) => Object.fromEntries(devices.map((device, rank) => [device, boxes[rank]]));
  const { partition, owned: boxes } = stages[0]!;
  const payloads = {
    plan: () => ({
      model,
      batch,
      planHash,
      stages: stages.map((stage) => ({
        layers: stage.layers,
        partition: stage.partition,
        ...(stage.grid ? { grid: stage.grid.join('x') } : {}),
        owned: owned(stage.owned),
      })),
    }),
    tiles: () => ({ partition, extent: extentOf(boxes), owned: owned(boxes) }),
  };
  return (['plan', 'tiles'] as const)
    .filter((measure) => chosen.includes(measure))
    .map((measure) => ({ topic: `${job}/${measure}`, payload: payloads[measure](), ...about }));
}

/** The boxes cover the output, so it ends where the last of them does. */
function extentOf(boxes: readonly Box[]): readonly number[] {
  return [0, 1, 2, 3].map((axis) => Math.max(...boxes.map((box) => box[axis]![1])));
}

/** Documents come from other programs too; nodes that train check the rest. */
function isPlan(plan: unknown): plan is Plan {
  if (!isRecord(plan) || !Array.isArray(plan['devices']) || !Array.isArray(plan['stages'])) return false;
  const { devices, stages } = plan as { devices: readonly unknown[]; stages: readonly unknown[] };
  const whole = (stage: unknown) =>
    isRecord(stage) && Array.isArray(stage['owned']) && stage['owned'].length === devices.length;
  return devices.length > 0 && stages.length > 0 && stages.every(whole);
}
