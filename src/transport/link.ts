/** Link: one MQTT.js connection to a peer's broker that comes back by itself. */

import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { MqttClient } from 'mqtt';
import type { Posted } from './board.ts';
import type { Written } from './wire.ts';

/** Time between attempts to connect, in ms. */
const RECONNECT_MS = 100;

/** Time in which a broker must answer, in ms. */
const CONNECT_MS = 2000;

/** A connection on which nothing comes back for one and a half of these is closed, in s. */
const KEEPALIVE_SECONDS = 3;

const CLOSED = 'connection closed';

/** Where a link leads, and who is told about it. */
export interface LinkOptions {
  readonly clientId: string;
  readonly host: string;
  readonly port: number;
  /** What the peer's broker publishes for us when the link breaks. */
  readonly will?: Posted;
  opened(): void;
  closed(reason: string): void;
}

/** A connection to a peer's broker. */
export class Link {
  readonly #client: MqttClient;
  #socket: Socket | undefined;
  #open = false;
  #corked = false;
  #reason = CLOSED;

  constructor(options: LinkOptions) {
    const { clientId, host, port, will } = options;
    const open = () => {
      this.#corked = false;
      this.#socket = connect({ host, port, noDelay: true });
      return this.#socket;
    };
    this.#client = new MqttClient(open, {
      clientId,
      clean: true,
      resubscribe: false,
      queueQoSZero: false,
      reconnectPeriod: RECONNECT_MS,
      reconnectOnConnackError: true,
      connectTimeout: CONNECT_MS,
      keepalive: KEEPALIVE_SECONDS,
      timerVariant: 'native',
      ...(will && { will: { topic: will.topic, payload: will.json, qos: 1, retain: will.retain } }),
    });
    this.#client.on('error', (error) => (this.#reason = error.message));
    this.#client.on('connect', () => {
      this.#open = true;
      this.#reason = CLOSED;
      options.opened();
    });
    this.#client.on('close', () => {
      if (!this.#open) return;
      this.#open = false;
      options.closed(this.#reason);
    });
  }

  /** Why there is no connection, as far as is known. */
  get reason(): string {
    return this.#reason;
  }

  /**
   * Publishes with QoS 0, straight to the socket: MQTT.js would call back before the bytes are written, and not at all when
   * the connection breaks, while a socket calls back when it has done with them, in either case. Packets of one turn leave together.
   */
  publishFrame(topic: Uint8Array, bytes: Uint8Array, written: Written): void {
    const socket = this.#socket;
    if (!this.#open || !socket || socket.destroyed) {
      setImmediate(written, new Error('no connection'));
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    socket.write(publishHeader(topic, bytes.length));
    socket.write(bytes, (error) => written(error ?? undefined));
  }

  /** Publishes a document with QoS 1; `done` once the peer's broker has it, maybe after a reconnect. */
  publishDocument({ topic, json, retain }: Posted, done: () => void): void {
    this.#client.publish(topic, json, { qos: 1, retain }, done);
  }

  /** Says goodbye to the broker (no last will) and stops connecting; by force when that takes longer than `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (this.#client.disconnected) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#socket?.destroy();
      resolve();
    }, graceMs);
    this.#client.end(!this.#open, () => resolve());
    await promise;
    clearTimeout(timer);
  }
}

/** Fixed and variable header of a PUBLISH packet with QoS 0 [MQTT-3.3]: type, remaining length, topic length, topic. */
function publishHeader(topic: Uint8Array, payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(7 + topic.length);
  header[0] = 0x30;
  let at = 1;
  let remaining = 2 + topic.length + payloadBytes;
  do {
    header[at++] = (remaining & 0x7f) | (remaining > 0x7f ? 0x80 : 0);
    remaining >>>= 7;
  } while (remaining > 0);
  header[at++] = topic.length >>> 8;
  header[at++] = topic.length;
  header.set(topic, at);
  return header.subarray(0, at + topic.length);
}
