/** Transport: how tensor messages travel between the devices of a run. One interface over MQTT and over memory. */

import type { TensorChannel } from '../protocol/topics.ts';

/** A message that will arrive, and the bytes of the arena that wait for it. */
export interface Slot {
  readonly message: number;
  readonly from: string;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * A message to send: its payload lies in the arena in chunks of CHUNK_BYTES, chunk k at `offset + k · (CHUNK_BYTES + HEADER_BYTES)`,
 * with HEADER_BYTES of room before each chunk for the frame's header.
 */
export interface Outgoing {
  readonly message: number;
  readonly to: string;
  readonly channel: TensorChannel;
  readonly offset: number;
  readonly bytes: number;
}

/** What a run is, to the wire: frames of anything else are counted and never applied. */
export interface SessionOptions {
  readonly job: string;
  /** 16 hexadecimal digits, drawn at random for each run. */
  readonly run: string;
  /** First 16 hexadecimal digits of the plan's hash. */
  readonly planHash: string;
  /** Members of the run other than this node. */
  readonly peers: readonly string[];
  /** The arena, in which slots and send regions lie. */
  readonly memory: Uint8Array;
}

/** Bytes and frames since the session was opened. `rejected` counts wrong frames by reason (crc, version, run, plan, length, …). */
export interface SessionStatistics {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly resent: number;
  readonly duplicates: number;
  readonly rejected: Readonly<Record<string, number>>;
}

/** Exactly-once delivery of the messages of one run into preallocated slots. */
export interface Session {
  /** Registers every slot of an iteration; must be called for iteration t before {@link free} of t - 2 (and for 0 and 1 before the run starts). */
  expect(iteration: number, slots: readonly Slot[]): void;
  /** Sends a message once the receiver's credit allows; resolves when it is acknowledged and no write of it is pending: the region may be reused. */
  send(iteration: number, outgoing: Outgoing, signal: AbortSignal): Promise<void>;
  /** Resolves when every listed message of the iteration lies whole in its slot. */
  arrived(iteration: number, messages: readonly number[], signal: AbortSignal): Promise<void>;
  /** Says that all slots of the iteration have been read; carries to each peer the checksum of the weights held of it. */
  free(iteration: number, checksums: ReadonlyMap<string, number>): void;
  /** Resolves, once the peer has freed the iteration, with the checksum it sent. */
  freed(iteration: number, peer: string, signal: AbortSignal): Promise<number>;
  readonly statistics: SessionStatistics;
  close(): void;
}

export type PeerEvent =
  | { readonly kind: 'up'; readonly peer: string }
  | { readonly kind: 'down'; readonly peer: string; readonly reason: string }
  | { readonly kind: 'lost'; readonly peer: string; readonly reason: string };

export interface Transport {
  readonly self: string;
  open(options: SessionOptions): Session;
  /** Reports connections to peers; `lost` once a peer has been down for 3 s or shows another instance. @returns unsubscribe */
  onPeer(listener: (event: PeerEvent) => void): () => void;
}

/** Small JSON documents that every node should see, by topic. Published on this node's own broker and, by its bridges, on every peer's. */
export interface Bulletin {
  /** Publishes JSON; with `retain` it is republished at each connect of a peer. */
  post(topic: string, document: unknown, options?: { readonly retain?: boolean }): void;
  /** Calls the listener for each document (its own included, retained ones at once). `from` is the peer it came from, undefined for this node or a local client. @returns unsubscribe */
  on(filter: string, listener: (topic: string, document: unknown, from: string | undefined) => void): () => void;
}
