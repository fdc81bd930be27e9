/**
 * Tensor frames: a fixed header, then one chunk of a message's raw float32. All integers are little-endian.
 *
 *     byte  0        4       5       6              8         16          24          28        32
 *          +--------+-------+-------+--------------+---------+-----------+-----------+---------+
 *          | "MQTF" |version| dtype | header bytes |   run   | plan hash | iteration | message |
 *          |  u32   |  u8   |  u8   |     u16      | 8 bytes |  8 bytes  |    u32    |   u32   |
 *          +--------+-------+-------+--------------+---------+-----------+-----------+---------+
 *     byte 32      36       40           44            48            52         60           64
 *          +-------+--------+------------+-------------+-------------+----------+------------+---------
 *          | chunk | chunks | byteLength | totalLength | payload CRC | reserved | header CRC | payload …
 *          |  u32  |  u32   |    u32     |     u32     |     u32     | 8 zeros  |    u32     |
 *          +-------+--------+------------+-------------+-------------+----------+------------+---------
 *
 * The header CRC covers bytes 0 to 59, so that no flipped bit of a header can be taken for another message.
 */

import { compareIdentity, IDENTITY_BYTES, readU32, writeU32 } from './bytes.ts';
import type { Checksum } from './bytes.ts';
import { PROTOCOL_VERSION } from './version.ts';

/** Bytes of the header before each chunk. */
export const HEADER_BYTES = 64;

/** Payload bytes of every chunk of a message but the last. */
export const CHUNK_BYTES = 262144;

/** Largest tensor frame. */
export const FRAME_BYTES = HEADER_BYTES + CHUNK_BYTES;

const MAGIC = 0x46_54_51_4d; // "MQTF"
const FLOAT32 = 1;
const IDENTITY_AT = 8;
const PAYLOAD_CRC_AT = 48;
const RESERVED_AT = 52;
const HEADER_CRC_AT = 60;

/** What a header says beside run and plan. */
export interface FrameFields {
  iteration: number;
  message: number;
  /** Position of this chunk in the message, 0 to chunks - 1. */
  chunk: number;
  /** Bytes of the whole message. */
  totalBytes: number;
}

/** Why a frame is refused before anybody looks at what it says. */
export type FrameReject = 'magic' | 'version' | 'dtype' | 'length' | 'crc';

/** Number of chunks that a message is sent in; an empty message is one empty chunk. */
export function chunkCount(totalBytes: number): number {
  return Math.max(1, Math.ceil(totalBytes / CHUNK_BYTES));
}

/** Payload bytes of chunk k of a message. */
export function chunkBytes(totalBytes: number, chunk: number): number {
  return Math.min(CHUNK_BYTES, totalBytes - chunk * CHUNK_BYTES);
}

/**
 * Writes the header of a chunk whose payload already lies in `target` behind the room for it.
 * @param target header room of {@link HEADER_BYTES}, then the payload, and nothing else
 * @param identity of {@link identityBytes}
 */
export function encodeFrame(target: Uint8Array, fields: FrameFields, identity: Uint8Array, crc: Checksum): void {
  writeU32(target, 0, MAGIC);
  writeU32(target, 4, PROTOCOL_VERSION | (FLOAT32 << 8) | (HEADER_BYTES << 16));
  for (let i = 0; i < IDENTITY_BYTES; i++) target[IDENTITY_AT + i] = identity[i]!;
  writeU32(target, 24, fields.iteration);
  writeU32(target, 28, fields.message);
  writeU32(target, 32, fields.chunk);
  writeU32(target, 36, chunkCount(fields.totalBytes));
  writeU32(target, 40, chunkBytes(fields.totalBytes, fields.chunk));
  writeU32(target, 44, fields.totalBytes);
  writeU32(target, PAYLOAD_CRC_AT, crc(target.subarray(HEADER_BYTES)));
  writeU32(target, RESERVED_AT, 0);
  writeU32(target, RESERVED_AT + 4, 0);
  writeU32(target, HEADER_CRC_AT, crc(target.subarray(0, HEADER_CRC_AT)));
}

/**
 * Checks a frame, header and payload, and reads its fields into `into`.
 * @returns `into`, or why the frame is refused (`into` is then undefined)
 */
export function decodeFrame(frame: Uint8Array, into: FrameFields, crc: Checksum): FrameFields | FrameReject {
  if (frame.length < 8) return 'length';
  if (readU32(frame, 0) !== MAGIC) return 'magic';
  if (frame[4] !== PROTOCOL_VERSION) return 'version';
  if (frame.length < HEADER_BYTES) return 'length';
  if (readU32(frame, HEADER_CRC_AT) !== crc(frame.subarray(0, HEADER_CRC_AT))) return 'crc';
  if (frame[5] !== FLOAT32) return 'dtype';
  if (!hasRightLength(frame)) return 'length';
  if (readU32(frame, PAYLOAD_CRC_AT) !== crc(frame.subarray(HEADER_BYTES))) return 'crc';
  into.iteration = readU32(frame, 24);
  into.message = readU32(frame, 28);
  into.chunk = readU32(frame, 32);
  into.totalBytes = readU32(frame, 44);
  return into;
}

/** Which of run id and plan hash of a frame is not the expected one; the frame has been decoded before. */
export function foreignFrame(frame: Uint8Array, identity: Uint8Array): 'run' | 'plan' | undefined {
  return compareIdentity(frame, IDENTITY_AT, identity);
}

/** Run id and plan hash of a decoded frame, as bytes (a view). */
export function frameIdentity(frame: Uint8Array): Uint8Array {
  return frame.subarray(IDENTITY_AT, IDENTITY_AT + IDENTITY_BYTES);
}

function hasRightLength(frame: Uint8Array): boolean {
  const chunk = readU32(frame, 32);
  const chunks = readU32(frame, 36);
  const bytes = readU32(frame, 40);
  const totalBytes = readU32(frame, 44);
  return (
    (frame[6]! | (frame[7]! << 8)) === HEADER_BYTES &&
    chunks === chunkCount(totalBytes) &&
    chunk < chunks &&
    bytes === chunkBytes(totalBytes, chunk) &&
    frame.length === HEADER_BYTES + bytes
  );
}
