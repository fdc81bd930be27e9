/** A byte limit in front of the broker's parser, which itself would gather a packet of any size before anybody is asked. */

import type { Socket } from 'node:net';

/** Most bytes of the length field of a packet [MQTT-2.2.3]. */
const LENGTH_FIELD_BYTES = 4;

/** Follows the packets in a stream of bytes without keeping any of it. */
export class PacketMeter {
  /** Bytes of the current packet that are still to come. */
  #bodyBytes = 0;
  /** Bytes of the length field read so far; -1 before the first byte of a packet. */
  #lengthField = -1;
  #length = 0;

  /** Follows some more bytes. @returns false when a packet announces more than `limitBytes`, or no length at all */
  accept(bytes: Uint8Array, limitBytes: number): boolean {
    for (let at = 0; at < bytes.length;) {
      if (this.#bodyBytes > 0) {
        const skipped = Math.min(this.#bodyBytes, bytes.length - at);
        this.#bodyBytes -= skipped;
        at += skipped;
      } else if (!this.#header(bytes[at++]!, limitBytes)) return false;
    }
    return true;
  }

  #header(byte: number, limitBytes: number): boolean {
    if (this.#lengthField < 0) {
      this.#lengthField = 0;
      this.#length = 0;
      return true;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthField++;
    if (this.#length > limitBytes) return false;
    if (byte & 0x80) return this.#lengthField < LENGTH_FIELD_BYTES;
    this.#lengthField = -1;
    this.#bodyBytes = this.#length;
    return true;
  }
}

/**
 * Closes a connection as soon as a packet announces too many bytes, before they are read.
 * @param limitBytes what the client at the other end may send now, in bytes a packet
 */
export function guardPackets(socket: Socket, limitBytes: () => number): void {
  const meter = new PacketMeter();
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const bytes = read(size) as Buffer | null;
    if (bytes === null || meter.accept(bytes, limitBytes())) return bytes;
    socket.destroy();
    return null;
  };
}
