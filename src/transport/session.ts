/** A session: exactly-once delivery of the messages of one run, over a wire that may lose, repeat and reorder frames. */

import { crc32 } from 'node:zlib';
import { TransportError } from '../errors.ts';
import { decodeAck, emptyAcknowledgement, encodeAck, foreignAck, REJECT_REASONS, ACK_BYTES } from '../protocol/ack.ts';
import { identityBytes } from '../protocol/bytes.ts';
import { decodeFrame, foreignFrame, frameIdentity, HEADER_BYTES } from '../protocol/frame.ts';
import type { FrameFields } from '../protocol/frame.ts';
import type { TensorChannel } from '../protocol/topics.ts';
import { Acknowledger } from './acknowledge.ts';
import { Inbound } from './inbound.ts';
import { Lane } from './lane.ts';
import { Sending } from './sending.ts';
import type { Outgoing, Session, SessionOptions, SessionStatistics, Slot } from './transport.ts';
import { Waits } from './waits.ts';
import type { Route, Wire } from './wire.ts';

/** Times of a session, in ms. */
export interface SessionTiming {
  /** From a write to its repetition, at first. */
  readonly resendMs: number;
  /** The same at most: it doubles. */
  readonly resendLimitMs: number;
  /** Between repetitions of `freed`. */
  readonly freedMs: number;
}

export const DEFAULT_TIMING: SessionTiming = { resendMs: 250, resendLimitMs: 4000, freedMs: 250 };

/** What a session of one peer consists of. */
interface Peer {
  readonly lane: Lane;
  readonly acknowledger: Acknowledger;
  readonly routes: ReadonlyMap<TensorChannel, Route>;
}

/** {@link Session} over a {@link Wire}. */
export class DeliverySession implements Session {
  readonly statistics: SessionStatistics;
  readonly #wire: Wire;
  readonly #options: SessionOptions;
  readonly #timing: SessionTiming;
  readonly #identity: Uint8Array;
  readonly #waits: Waits;
  readonly #inbound: Inbound;
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #counts = {
    bytesSent: 0,
    bytesReceived: 0,
    resent: 0,
    duplicates: 0,
    rejected: {} as Record<string, number>,
  };
  readonly #fields: FrameFields = { iteration: 0, message: 0, chunk: 0, totalBytes: 0 };
  readonly #ack = emptyAcknowledgement();
  readonly #timer: NodeJS.Timeout;
  readonly #closed: () => void;
  #toldMs = 0;

  /** @param closed called once, at {@link close} */
  constructor(wire: Wire, options: SessionOptions, timing: SessionTiming, closed: () => void) {
    this.#wire = wire;
    this.#options = options;
    this.#timing = timing;
    this.#identity = identityBytes(options.run, options.planHash);
    this.#timer = setInterval(() => this.#tick(performance.now()), timing.resendMs / 5).unref();
    this.#waits = new Waits((waiting) => void (waiting ? this.#timer.ref() : this.#timer.unref()));
    this.#inbound = new Inbound(options.memory, this.#waits);
    this.#peers = new Map(options.peers.map((peer) => [peer, this.#peer(peer)]));
    this.#closed = closed;
    this.statistics = this.#counts;
  }

  expect(iteration: number, slots: readonly Slot[]): void {
    this.#inbound.expect(iteration, slots);
  }

  send(iteration: number, outgoing: Outgoing, signal: AbortSignal): Promise<void> {
    const peer = this.#peers.get(outgoing.to);
    const route = peer?.routes.get(outgoing.channel);
    if (!peer || !route) return Promise.reject(unknownPeer(outgoing.to));
    const sending = new Sending(iteration, outgoing, route, { signal, delayMs: this.#timing.resendMs });
    peer.lane.send(sending);
    return sending.promise;
  }

  arrived(iteration: number, messages: readonly number[], signal: AbortSignal): Promise<void> {
    return this.#inbound.arrived(iteration, messages, signal);
  }

  free(iteration: number, checksums: ReadonlyMap<string, number>): void {
    this.#inbound.free(iteration);
    for (const [name, peer] of this.#peers) peer.acknowledger.freed(iteration, checksums.get(name) ?? 0);
  }

  freed(iteration: number, peer: string, signal: AbortSignal): Promise<number> {
    const known = this.#peers.get(peer);
    if (!known) return Promise.reject(unknownPeer(peer));
    return known.lane.whenFreed(iteration, signal);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const peer of this.#peers.values()) peer.acknowledger.close();
    this.#waits.fail(new TransportError('sessionClosed', `the session of job ${this.#options.job} is closed`));
    this.#closed();
  }

  /** Ends everything that waits with an error, now and later. */
  fail(error: TransportError): void {
    this.#waits.fail(error);
  }

  /** A peer can be reached again. */
  reconnected(name: string): void {
    const peer = this.#peers.get(name);
    peer?.lane.reconnected();
    peer?.acknowledger.tell();
  }

  /** A peer is gone for good. */
  lost(name: string, reason: string): void {
    if (this.#peers.has(name)) this.fail(new TransportError('peerLost', `lost ${name}: ${reason}`));
  }

  /** A frame of this job arrived from a peer. */
  receive(from: Route, bytes: Uint8Array): void {
    const peer = this.#peers.get(from.peer);
    if (!peer) return this.#count('peer');
    this.#counts.bytesReceived += bytes.length;
    if (from.channel === 'ack') this.#receiveAck(peer, bytes);
    else this.#receiveTensor(from.peer, peer, bytes);
  }

  #receiveTensor(from: string, peer: Peer, bytes: Uint8Array): void {
    const fields = decodeFrame(bytes, this.#fields, crc32);
    if (typeof fields === 'string') {
      this.#count(fields);
      if (fields === 'magic' || fields === 'length' || fields === 'crc') this.#wire.reset(from);
      return;
    }
    const foreign = foreignFrame(bytes, this.#identity);
    if (foreign) {
      this.#count(foreign);
      return this.#answer(from, bytes, foreign);
    }
    const placement = this.#inbound.place(from, fields, bytes.subarray(HEADER_BYTES));
    if (placement === 'placed' || placement === 'duplicate') {
      if (placement === 'duplicate') this.#counts.duplicates++;
      return peer.acknowledger.placed(fields.iteration, fields.message, fields.chunk);
    }
    this.#count(placement);
    if (placement === 'credit') {
      const text = `${from} sent message ${fields.message} of iteration ${fields.iteration}, but only ${this.#inbound.freed} is freed`;
      this.fail(new TransportError('creditExceeded', text));
    }
  }

  #receiveAck(peer: Peer, bytes: Uint8Array): void {
    const ack = decodeAck(bytes, this.#ack, crc32);
    if (typeof ack === 'string') return this.#count(ack);
    const foreign = foreignAck(bytes, this.#identity);
    if (foreign) return this.#count(foreign);
    for (let i = 0; i < 3 * ack.rejects; i += 3) {
      const reason = REJECT_REASONS[ack.rejected[i]!] ?? 'unknown';
      this.#count(`${reason}AtPeer`);
    }
    peer.lane.acknowledged(ack);
  }

  /** Tells the sender, under the run and plan that it believes in, that its frame was not taken. */
  #answer(from: string, frame: Uint8Array, reason: 'run' | 'plan'): void {
    const ack = emptyAcknowledgement();
    ack.rejects = 1;
    ack.rejected.set([REJECT_REASONS.indexOf(reason), this.#fields.iteration, this.#fields.message]);
    const target = new Uint8Array(ACK_BYTES);
    const bytes = encodeAck(target, ack, frameIdentity(frame), crc32);
    this.#counts.bytesSent += bytes;
    const route = { peer: from, job: this.#options.job, channel: 'ack' } as const;
    this.#wire.send(route, target.subarray(0, bytes), () => {});
  }

  #tick(nowMs: number): void {
    for (const peer of this.#peers.values()) peer.lane.repeatOverdue(nowMs);
    if (nowMs - this.#toldMs < this.#timing.freedMs) return;
    this.#toldMs = nowMs;
    for (const peer of this.#peers.values()) peer.acknowledger.tell();
  }

  #count(reason: string): void {
    this.#counts.rejected[reason] = (this.#counts.rejected[reason] ?? 0) + 1;
  }

  #peer(peer: string): Peer {
    const route = <C extends Route['channel']>(channel: C) => ({ peer, job: this.#options.job, channel });
    const counts = this.#counts;
    const context = {
      wire: this.#wire,
      waits: this.#waits,
      memory: this.#options.memory,
      identity: this.#identity,
      crc: crc32,
      delayLimitMs: this.#timing.resendLimitMs,
      nowMs: () => performance.now(),
      sent: (bytes: number) => void (counts.bytesSent += bytes),
      resent: (chunks: number) => void (counts.resent += chunks),
    };
    const channels = ['activation', 'gradient', 'weights'] as const;
    return {
      lane: new Lane(peer, context),
      acknowledger: new Acknowledger(route('ack'), context),
      routes: new Map(channels.map((channel) => [channel, route(channel)])),
    };
  }
}

function unknownPeer(name: string): TransportError {
  return new TransportError('unknownPeer', `${name} is not a member of this run`);
}
