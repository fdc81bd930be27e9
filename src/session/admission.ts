/** Admission: what must hold before a member begins its part: the same program and plan as the submitter's, and all members connected. */

import { InputError } from '../errors.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { unreachable, type NodeContext } from './context.ts';
import type { Spec } from './spec.ts';

/** Peers must be connected within this time; a daemon that boots at the same moment is given a chance. */
const CONNECT_MS = 10_000;

/** Every node of the run must be connected with this one. @throws {InputError} `peerUnknown`, `peerUnreachable` */
export async function connected(context: NodeContext, spec: Spec, ended: AbortSignal): Promise<void> {
  const missing = () => [...context.peersMissing()].filter(([peer]) => spec.members.some(({ name }) => name === peer));
  const strangers = spec.members.filter(({ name }) => name !== context.name && !context.peers().includes(name));
  if (strangers.length > 0) {
    throw new InputError(
      'peerUnknown',
      `${strangers.map(({ name }) => name).join(', ')} takes part in the job and is no peer of ${context.name}; list it under peers in the file of ${context.name}`,
    );
  }
  const deadline = performance.now() + CONNECT_MS;
  while (missing().length > 0) {
    ended.throwIfAborted();
    if (performance.now() > deadline) {
      const [peer, why] = missing()[0]!;
      throw unreachable(context, peer, why);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The member must run what the submitter runs. @throws {InputError} `versionMismatch`, `planMismatch` */
export function checkVersions(
  { info }: NodeContext,
  spec: Spec,
  hashes: { planHash: string; expectedHash: string },
): void {
  if (spec.protocol !== PROTOCOL_VERSION) {
    throw new InputError(
      'versionMismatch',
      `${spec.submitter} runs MQTile ${spec.version} (protocol ${spec.protocol}), this node ${info.version} (protocol ${PROTOCOL_VERSION}); install the same version on both`,
    );
  }
  if (hashes.planHash !== hashes.expectedHash) {
    throw new InputError(
      'planMismatch',
      `${spec.submitter} made another plan (${hashes.expectedHash}, here ${hashes.planHash}); install the same version and the same job on both`,
    );
  }
}
