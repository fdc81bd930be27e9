/** A session whose peer is played by hand: the test writes and reads every frame itself. */

import { crc32 } from 'node:zlib';
import { ACK_BYTES, emptyAcknowledgement, encodeAck } from '../../src/protocol/ack.ts';
import type { Acknowledgement } from '../../src/protocol/ack.ts';
import { identityBytes } from '../../src/protocol/bytes.ts';
import { CHUNK_BYTES, encodeFrame, HEADER_BYTES } from '../../src/protocol/frame.ts';
import type { FrameFields } from '../../src/protocol/frame.ts';
import { Delivery } from '../../src/transport/delivery.ts';
import type { Outgoing } from '../../src/transport/transport.ts';
import type { Route, Wire, WireListener, Written } from '../../src/transport/wire.ts';
import { PLAN, RUN } from './exchange.ts';

export const IDENTITY = identityBytes(RUN, PLAN);
export const NEVER = new AbortController().signal;

interface Sent {
  readonly to: Route;
  readonly bytes: Uint8Array;
  readonly written: Written;
}

/** A wire whose other end is the test. */
export class HandWire implements Wire {
  readonly self = 'a';
  up = true;
  readonly sent: Sent[] = [];
  readonly resets: string[] = [];
  listener: WireListener | undefined;

  attach(listener: WireListener): void {
    this.listener = listener;
  }
  isUp(): boolean {
    return this.up;
  }
  send(to: Route, bytes: Uint8Array, written: Written): void {
    this.sent.push({ to, bytes, written });
  }
  reset(peer: string): void {
    this.resets.push(peer);
  }
  /** Tensor frames sent since the last call, by message number. */
  messages(): readonly number[] {
    const frames = this.sent.splice(0).filter(({ to }) => to.channel !== 'ack');
    return frames.map(({ bytes }) => bytes[28]!);
  }
  receive(channel: Route['channel'], bytes: Uint8Array, job = 'j'): void {
    this.listener?.frame({ peer: 'b', job, channel }, bytes);
  }
}

/** A session of node a with peer b; slot of message 1 at 0, slot of message 2 behind it, room to send from 4096 on. */
export function opened(resendMs = 60_000) {
  const wire = new HandWire();
  const delivery = new Delivery(wire, { resendMs, freedMs: 60_000, resendLimitMs: 60_000 });
  const memory = new Uint8Array(CHUNK_BYTES * 8);
  const session = delivery.open({ job: 'j', run: RUN, planHash: PLAN, peers: ['b'], memory });
  const slots = [
    { message: 1, from: 'b', offset: 0, bytes: 8 },
    { message: 2, from: 'b', offset: 64, bytes: 8 },
  ];
  session.expect(0, slots);
  session.expect(
    1,
    slots.map((slot) => ({ ...slot, offset: slot.offset + 1024 })),
  );
  return { wire, delivery, session, memory };
}

export function frame(fields: Partial<FrameFields> & { value?: number }, identity = IDENTITY): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 8).fill(fields.value ?? 1);
  encodeFrame(bytes, { iteration: 0, message: 1, chunk: 0, totalBytes: 8, ...fields }, identity, crc32);
  return bytes;
}

export function ackFrame(said: Partial<Pick<Acknowledgement, 'freed'>> & { placed?: readonly number[][] }): Uint8Array {
  const ack = emptyAcknowledgement();
  ack.freed = said.freed ?? -1;
  ack.placed = said.placed?.length ?? 0;
  ack.placedChunks.set((said.placed ?? []).flat());
  const target = new Uint8Array(ACK_BYTES);
  return target.slice(0, encodeAck(target, ack, IDENTITY, crc32));
}

export function outgoing(message: number, channel: Outgoing['channel'] = 'activation', bytes = 8): Outgoing {
  return { message, to: 'b', channel, offset: 4096 + 128 * message, bytes };
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** Whether a promise is settled after a turn. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => (settled = true);
  promise.then(note, note);
  await turn();
  return settled;
}
