/** Who may connect, publish and subscribe: an allow-list for each role, as functions of values. */

import { CHUNK_BYTES, HEADER_BYTES } from '../protocol/frame.ts';
import { isDocumentFilter, isName, parseTopic, ROOT } from '../protocol/topics.ts';

/** What a client of this node's broker is: one of a peer's two connections, or an ordinary local client. */
export type Role =
  { readonly kind: 'bridge'; readonly peer: string; readonly channel: 'data' | 'control' } | { readonly kind: 'local' };

/** The node that is asked. */
export interface Place {
  readonly cluster: string;
  readonly self: string;
}

/** What a publish says about itself. */
export interface PublishFlags {
  readonly qos: number;
  readonly retain: boolean;
}

/** Most bytes of a packet before its sender has a role. */
export const STRANGER_BYTES = 4096;

/** Most bytes of a packet by role; topics take at most a few hundred. */
const PACKET_BYTES = { data: HEADER_BYTES + CHUNK_BYTES + 1024, control: 16 * 1024 * 1024, local: 64 * 1024 };

/** Client id of a node's connection to a peer's broker. */
export function bridgeClientId(self: string, channel: 'data' | 'control'): string {
  return `$bridge/${self}/${channel}`;
}

/** Role of a client id; undefined refuses it: it names itself the bridge of a node that is no peer. */
export function roleOf(clientId: string, peers: ReadonlySet<string>): Role | undefined {
  if (!clientId.startsWith('$bridge')) return { kind: 'local' };
  const [, peer = '', channel, ...rest] = clientId.split('/');
  if (rest.length > 0 || !isName(peer) || !peers.has(peer)) return undefined;
  if (channel !== 'data' && channel !== 'control') return undefined;
  return { kind: 'bridge', peer, channel };
}

/** Most bytes of a packet from a client of a role. */
export function packetLimitBytes(role: Role): number {
  return PACKET_BYTES[role.kind === 'bridge' ? role.channel : 'local'];
}

/**
 * Whether a client may publish to a topic: peers only what is theirs (documents of a job belong to whoever submitted it,
 * which no topic tells, so any peer may), local clients only requests; never QoS 2, never retained requests.
 */
export function mayPublish(role: Role, name: string, flags: PublishFlags, place: Place): boolean {
  const topic = parseTopic(name);
  if (!topic || topic.cluster !== place.cluster || flags.qos > 1) return false;
  if (role.kind === 'local') return topic.kind === 'request' && !flags.retain;
  if (topic.kind === 'tensor') {
    const channel = topic.channel === 'ack' ? 'control' : 'data';
    return topic.to === place.self && topic.from === role.peer && role.channel === channel && !flags.retain;
  }
  if (role.channel !== 'control') return false;
  if ('command' in topic) return !flags.retain;
  return !('node' in topic) || topic.node === role.peer;
}

/** Whether a client may subscribe to a filter: local clients to documents; bridges to nothing. */
export function maySubscribe(role: Role, filter: string): boolean {
  return role.kind === 'local' && isDocumentFilter(filter);
}

/** Whether a packet may be delivered to a client, whatever it subscribed to. */
export function mayReceive(role: Role, topic: string): boolean {
  return role.kind === 'local' && topic.startsWith(`${ROOT}/`);
}
