/** What one node offers to the jobs that it takes part in. */

import { InputError, MqtileError } from '../errors.ts';
import type { Engine } from '../kernels/engine.ts';
import type { Job } from '../job/job.ts';
import type { Plan } from '../planner/plan.ts';
import type { NodeInfo } from '../protocol/documents.ts';
import type { Result } from '../training/events.ts';
import type { Run } from '../training/run.ts';
import type { Bulletin, Transport } from '../transport/transport.ts';

/** What a driver is told of a run. */
export interface DriveContext {
  readonly job: Job;
  readonly plan: Plan;
  /** Aborted when the run ends everywhere; the run is aborted with it. */
  readonly signal: AbortSignal;
}

/** Brings a run to its end, through the same calls as the trainer. @throws what stopped it */
export type Drive = (run: Run, about: DriveContext) => Promise<Result>;

export interface NodeContext {
  readonly name: string;
  readonly cluster: string;
  readonly info: NodeInfo;
  readonly transport: Transport;
  readonly bulletin: Bulletin;
  readonly engine: Engine;
  /** Names of the peers that this node is configured to bridge to, in order. */
  peers(): readonly string[];
  /** host:port of a peer's broker, as it is configured. */
  addressOf(peer: string): string;
  /** What a peer says of itself; undefined until it has been heard. */
  peerInfo(peer: string): NodeInfo | undefined;
  /** For each peer that is not connected both ways: what is missing. */
  peersMissing(): ReadonlyMap<string, string>;
  /** Drives the runs that this node takes part in. */
  readonly drive: Drive;
  /** One line for whoever watches this node; says what happens to jobs. */
  log(line: string): void;
}

/** An error as it travels: a stable code, one line, and whether what a person gave is at fault. */
export interface Failure {
  readonly code: string;
  readonly reason: string;
  readonly input: boolean;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof MqtileError) {
    return { code: error.code, reason: error.message, input: error instanceof InputError };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'internal', reason, input: false };
}

/** What a person should hear of a peer that is not there. */
export function unreachable({ name, addressOf }: NodeContext, peer: string, why: string): InputError {
  return new InputError(
    'peerUnreachable',
    `${name} cannot reach its peer ${peer} at ${addressOf(peer)}: ${why}; start it, mend its address, or take it out of peers`,
  );
}
