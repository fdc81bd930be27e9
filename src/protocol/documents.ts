/** The JSON documents that nodes say about themselves, and the checks on what others say. */

import { parseKernelRates, type KernelRates } from '../tensor/rates.ts';
import { isIdentity } from './bytes.ts';

/** `node/<node>/info`. */
export interface NodeInfo {
  /** Version of the program. */
  readonly version: string;
  /** {@link PROTOCOL_VERSION} of the program. */
  readonly protocol: number;
  /** Drawn at random at each start: a peer that shows another one has forgotten everything. */
  readonly instance: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** What its kernels take, where it has measured it. */
  readonly kernels?: KernelRates;
}

const NODE_STATES = ['online', 'training', 'paused', 'offline'] as const;

/** `node/<node>/state`. */
export interface NodeState {
  readonly state: (typeof NODE_STATES)[number];
}

/** `job/<job>/state`, by the node where the job was submitted: how the run as a whole is doing. */
export interface JobState {
  readonly run: string;
  readonly state: 'preparing' | 'training' | 'done' | 'failed';
  /** Why it failed: a stable code, and one line for people. */
  readonly code?: string;
  readonly reason?: string;
}

const MEMBER_STATES = ['joining', 'ready', 'running', 'done', 'failed'] as const;

/** What a member did for a job that is done. */
export interface MemberResult {
  /** Share of correct answers in the test set; absent without one. */
  readonly testAccuracy?: number;
  readonly testLoss?: number;
  /** From step 0 to the end, seconds. */
  readonly seconds: number;
  /** Training samples of the whole cluster per second of training steps. */
  readonly imagesPerSecond: number;
  /** Path of the last checkpoint that this member wrote. */
  readonly checkpoint?: string;
  /** Path of the training curve that this member drew. */
  readonly curve?: string;
  /** Over all weights; absent on a member that does not hold all of them. */
  readonly weightsChecksum?: string;
  /** Box of the first stage's output that this member owned, as people read it. */
  readonly tile: string;
  /** Peak resident memory of the process, and its growth over the idle node. */
  readonly memoryPeakBytes: number;
  readonly memoryGrowthBytes: number;
  readonly memoryPredictedBytes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly computeMs: number;
  readonly waitMs: number;
}

/** `job/<job>/member/<node>`. */
export interface Member {
  readonly run: string;
  readonly planHash: string;
  readonly instance: string;
  readonly state: (typeof MEMBER_STATES)[number];
  /** When ready: of the data and of the weights to begin with; all members must have the same. */
  readonly dataHash?: string;
  readonly startHash?: string;
  /** While joining a run that is resumed: steps of the checkpoints that this node can read. */
  readonly steps?: readonly number[];
  /** Why it failed: a stable code, one line for people, and whether what a person gave is at fault. */
  readonly code?: string;
  readonly reason?: string;
  readonly input?: boolean;
  readonly result?: MemberResult;
}

/** Reads a node's `info` document; undefined when it is not one. */
export function parseNodeInfo(document: unknown): NodeInfo | undefined {
  if (!isRecord(document)) return undefined;
  const { version, protocol, instance, cores, memoryBytes } = document;
  if (typeof version !== 'string' || typeof instance !== 'string' || instance === '') return undefined;
  if (typeof protocol !== 'number' || typeof cores !== 'number' || typeof memoryBytes !== 'number') return undefined;
  const kernels = parseKernelRates(document['kernels']);
  return { version, protocol, instance, cores, memoryBytes, ...(kernels ? { kernels } : {}) };
}

/** Reads a node's `state` document; undefined when it is not one. */
export function parseNodeState(document: unknown): NodeState | undefined {
  if (!isRecord(document)) return undefined;
  const state = NODE_STATES.find((known) => known === document['state']);
  return state && { state };
}

/** Reads a member's document; undefined when it is not one. */
export function parseMember(document: unknown): Member | undefined {
  if (!isRecord(document)) return undefined;
  const { run, planHash, instance, dataHash, startHash, steps, code, reason, input, result } = document;
  const state = MEMBER_STATES.find((known) => known === document['state']);
  if (!isIdentity(run) || !isIdentity(planHash) || typeof instance !== 'string' || !state) return undefined;
  return {
    run,
    planHash,
    instance,
    state,
    ...(typeof dataHash === 'string' ? { dataHash } : {}),
    ...(typeof startHash === 'string' ? { startHash } : {}),
    ...(Array.isArray(steps) ? { steps: steps.filter((step) => typeof step === 'number') } : {}),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof input === 'boolean' ? { input } : {}),
    // Members are authorised peers; what they report of themselves is shown, never acted on.
    ...(isRecord(result) ? { result: result as unknown as MemberResult } : {}),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
