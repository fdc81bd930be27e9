/** The JSON documents that nodes say about themselves, and the checks on what others say. */

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
}

const NODE_STATES = ['online', 'training', 'offline'] as const;

/** `node/<node>/state`. */
export interface NodeState {
  readonly state: (typeof NODE_STATES)[number];
}

const MEMBER_STATES = ['ready', 'running', 'done', 'failed'] as const;

/** `job/<job>/member/<node>`. */
export interface Member {
  readonly run: string;
  readonly planHash: string;
  readonly instance: string;
  readonly state: (typeof MEMBER_STATES)[number];
  /** Why it failed. */
  readonly reason?: string;
}

/** Reads a node's `info` document; undefined when it is not one. */
export function parseNodeInfo(document: unknown): NodeInfo | undefined {
  if (!isRecord(document)) return undefined;
  const { version, protocol, instance, cores, memoryBytes } = document;
  if (typeof version !== 'string' || typeof instance !== 'string' || instance === '') return undefined;
  if (typeof protocol !== 'number' || typeof cores !== 'number' || typeof memoryBytes !== 'number') return undefined;
  return { version, protocol, instance, cores, memoryBytes };
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
  const { run, planHash, instance, reason } = document;
  const state = MEMBER_STATES.find((known) => known === document['state']);
  if (typeof run !== 'string' || typeof planHash !== 'string' || typeof instance !== 'string' || !state)
    return undefined;
  if (!isIdentity(run) || !isIdentity(planHash)) return undefined;
  return { run, planHash, instance, state, ...(typeof reason === 'string' ? { reason } : {}) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
