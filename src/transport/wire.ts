/** Wire: the connections underneath delivery. They lose, repeat and reorder frames when connections break; delivery makes up for it. */

import type { WireChannel } from '../protocol/topics.ts';
import type { PeerEvent } from './transport.ts';

/** Where a frame goes, or (with `peer` the sender) where it came from. Kept and used again: a wire may remember things by route. */
export interface Route {
  readonly peer: string;
  readonly job: string;
  /** `ack` travels on the control connection, everything else on the data connection. */
  readonly channel: WireChannel;
}

/** Called once for each frame sent, never before `send` returns: the bytes are not read any more. The error says that they were not sent whole. */
export type Written = (error?: Error) => void;

/** Who is told what a wire hears. Handlers return at once. */
export interface WireListener {
  /** A frame arrived; its bytes are valid only during the call. */
  frame(from: Route, bytes: Uint8Array): void;
  peer(event: PeerEvent): void;
}

/** Unreliable, connection-oriented frames between nodes. */
export interface Wire {
  readonly self: string;
  isUp(peer: string): boolean;
  /** Queues one frame; the bytes must stay untouched until `written` is called. Fails through `written` where there is no connection. */
  send(to: Route, bytes: Uint8Array, written: Written): void;
  /** Closes the data connection on which the peer sends to this node; it connects again by itself. */
  reset(peer: string): void;
  /** Hands over the listener, once, before anything arrives. */
  attach(listener: WireListener): void;
}
