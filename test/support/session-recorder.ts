/** A session that records what it is asked for: everything has arrived, and sends end when the test says so. */

import type { Outgoing, Session, Slot } from '../../src/transport/transport.ts';

export interface Sent {
  readonly iteration: number;
  readonly outgoing: Outgoing;
  readonly end: PromiseWithResolvers<void>;
}

export class SessionRecorder implements Session {
  readonly statistics = { bytesSent: 0, bytesReceived: 0, resent: 0, duplicates: 0, rejected: {} };
  readonly expected: (readonly [iteration: number, slots: readonly Slot[]])[] = [];
  readonly sent: Sent[] = [];
  readonly awaited: (readonly [iteration: number, messages: readonly number[]])[] = [];
  readonly frees: (readonly [iteration: number, checksums: ReadonlyMap<string, number>])[] = [];

  expect(iteration: number, slots: readonly Slot[]): void {
    this.expected.push([iteration, slots]);
  }

  send(iteration: number, outgoing: Outgoing): Promise<void> {
    const end = Promise.withResolvers<void>();
    this.sent.push({ iteration, outgoing, end });
    return end.promise;
  }

  arrived(iteration: number, messages: readonly number[]): Promise<void> {
    this.awaited.push([iteration, messages]);
    return Promise.resolve();
  }

  free(iteration: number, checksums: ReadonlyMap<string, number>): void {
    this.frees.push([iteration, checksums]);
  }

  /** A number that follows from the arguments. */
  freed(iteration: number, peer: string): Promise<number> {
    return Promise.resolve(iteration * 100 + peer.length);
  }

  close(): void {}
}
