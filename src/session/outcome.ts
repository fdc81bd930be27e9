/** Outcome: what a member has to show for a run that is done: figures, and the curve beside its checkpoints. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError } from '../errors.ts';
import type { Job } from '../job/job.ts';
import type { Plan } from '../planner/plan.ts';
import type { MemberResult } from '../protocol/documents.ts';
import { drawCurve } from '../telemetry/curve.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { formatBox } from '../tensor/box.ts';
import type { Result } from '../training/events.ts';
import type { MemoryGauge } from './memory-gauge.ts';
import type { PreparedRun } from './prepare.ts';

export interface Ending {
  readonly plan: Plan;
  readonly prepared: PreparedRun;
  readonly gauge: MemoryGauge;
  readonly telemetry: Telemetry;
  readonly result: Result;
  readonly seconds: number;
  /** Path of the training curve, where one was drawn. */
  readonly curve: string | undefined;
}

export function memberResult({ plan, prepared, gauge, telemetry, result, seconds, curve }: Ending): MemberResult {
  const { program, session } = prepared;
  const { samples, stepMs, computeMs, waitMs } = telemetry.totals;
  const { peakBytes, idleBytes } = gauge.read();
  const { testAccuracy, testLoss, checkpoint, weightsChecksum } = result;
  return {
    ...(testAccuracy === undefined ? {} : { testAccuracy }),
    ...(testLoss === undefined ? {} : { testLoss }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(curve === undefined ? {} : { curve }),
    seconds,
    imagesPerSecond: stepMs === 0 ? 0 : (1000 * samples) / stepMs,
    ...(weightsChecksum === undefined ? {} : { weightsChecksum }),
    tile: formatBox(plan.stages[0]!.owned[program.rank]!),
    memoryPeakBytes: peakBytes,
    memoryGrowthBytes: peakBytes - idleBytes,
    memoryPredictedBytes: program.arenaBytes,
    bytesSent: session.statistics.bytesSent,
    bytesReceived: session.statistics.bytesReceived,
    computeMs,
    waitMs,
  };
}

/**
 * Draws the losses of a run as `curve.svg` in the folder of its checkpoints.
 * @returns the file's path
 * @throws {RunError} `curveWrite`
 */
export async function writeCurve(job: Job, { history }: Telemetry, { testAccuracy }: Result): Promise<string> {
  const path = join(job.checkpoint.directory, 'curve.svg');
  try {
    await mkdir(job.checkpoint.directory, { recursive: true });
    await writeFile(path, drawCurve(history, { title: job.name, accuracy: testAccuracy }));
  } catch (cause) {
    throw new RunError('curveWrite', `${path}: cannot be written (${String(cause)})`, { cause });
  }
  return path;
}
