/**
 * Acknowledgement frames, on the control connection: which chunks were placed, which iteration is freed. Little-endian.
 *
 *     byte  0        4         5          6         8         16          24      28       32                64
 *          +--------+---------+----------+---------+---------+-----------+-------+--------+-----------------+
 *          | "MQTA" | version | reserved | rejects |   run   | plan hash | freed | placed | 8 checksums of  |
 *          |  u32   |   u8    |    u8    |   u16   | 8 bytes |  8 bytes  |  i32  |  u32   | freed-7 … freed |
 *          +--------+---------+----------+---------+---------+-----------+-------+--------+-----------------+
 *     byte 64                                64 + 12·placed                 64 + 12·(placed + rejects)
 *          +--------------------------------+------------------------------+--------+
 *          | placed × (iteration, message,  | rejects × (reason,           | CRC-32 |
 *          |           chunk), u32 each     |   iteration, message), u32   |  u32   |
 *          +--------------------------------+------------------------------+--------+
 *
 * The CRC covers everything before it. Checksums of eight iterations travel together, so that a lost frame loses none.
 */

import { compareIdentity, IDENTITY_BYTES, readU32, writeU32 } from './bytes.ts';
import type { Checksum } from './bytes.ts';
import { PROTOCOL_VERSION } from './version.ts';

/** Most placed chunks in one frame; more wait for the next. */
export const ACK_PLACED = 512;

/** Most rejects in one frame; more are not answered. */
export const ACK_REJECTS = 16;

/** Iterations whose checksums a frame carries. */
export const ACK_CHECKSUMS = 8;

const FIXED_BYTES = 64;
const ENTRY_BYTES = 12;

/** Largest acknowledgement frame. */
export const ACK_BYTES = FIXED_BYTES + ENTRY_BYTES * (ACK_PLACED + ACK_REJECTS) + 4;

const MAGIC = 0x41_54_51_4d; // "MQTA"
const IDENTITY_AT = 8;
const CHECKSUMS_AT = 32;

/** Why a sound tensor frame was not taken; the position is the code on the wire. */
export const REJECT_REASONS = ['run', 'plan'] as const;
/** What an acknowledgement says, in storage that is used again for every frame. */
export interface Acknowledgement {
  /** Last iteration whose slots have all been read; -1 before the first. */
  freed: number;
  /** Checksum of iteration i at position i modulo {@link ACK_CHECKSUMS}. */
  readonly checksums: Uint32Array;
  placed: number;
  /** Triples of iteration, message, chunk. */
  readonly placedChunks: Uint32Array;
  rejects: number;
  /** Triples of reason (position in {@link REJECT_REASONS}), iteration, message. */
  readonly rejected: Uint32Array;
}

/** Why an acknowledgement frame is refused. */
export type AckReject = 'magic' | 'version' | 'length' | 'crc';

/** An acknowledgement that says nothing yet. */
export function emptyAcknowledgement(): Acknowledgement {
  return {
    freed: -1,
    checksums: new Uint32Array(ACK_CHECKSUMS),
    placed: 0,
    placedChunks: new Uint32Array(3 * ACK_PLACED),
    rejects: 0,
    rejected: new Uint32Array(3 * ACK_REJECTS),
  };
}

/**
 * Writes an acknowledgement.
 * @param target at least {@link ACK_BYTES} long
 * @returns the bytes written
 */
export function encodeAck(target: Uint8Array, ack: Acknowledgement, identity: Uint8Array, crc: Checksum): number {
  writeU32(target, 0, MAGIC);
  writeU32(target, 4, PROTOCOL_VERSION | (ack.rejects << 16));
  for (let i = 0; i < IDENTITY_BYTES; i++) target[IDENTITY_AT + i] = identity[i]!;
  writeU32(target, 24, ack.freed);
  writeU32(target, 28, ack.placed);
  for (let back = ACK_CHECKSUMS - 1, at = CHECKSUMS_AT; back >= 0; back--, at += 4) {
    writeU32(target, at, checksumOf(ack, ack.freed - back));
  }
  let at = FIXED_BYTES;
  for (let i = 0; i < 3 * ack.placed; i++, at += 4) writeU32(target, at, ack.placedChunks[i]!);
  for (let i = 0; i < 3 * ack.rejects; i++, at += 4) writeU32(target, at, ack.rejected[i]!);
  writeU32(target, at, crc(target.subarray(0, at)));
  return at + 4;
}

/**
 * Checks an acknowledgement frame and reads it into `into`.
 * @returns `into`, or why the frame is refused
 */
export function decodeAck(frame: Uint8Array, into: Acknowledgement, crc: Checksum): Acknowledgement | AckReject {
  if (frame.length < FIXED_BYTES + 4) return 'length';
  if (readU32(frame, 0) !== MAGIC) return 'magic';
  if (frame[4] !== PROTOCOL_VERSION) return 'version';
  const end = frame.length - 4;
  if (readU32(frame, end) !== crc(frame.subarray(0, end))) return 'crc';
  const placed = readU32(frame, 28);
  const rejects = frame[6]! | (frame[7]! << 8);
  if (placed > ACK_PLACED || rejects > ACK_REJECTS) return 'length';
  if (end !== FIXED_BYTES + ENTRY_BYTES * (placed + rejects)) return 'length';
  into.freed = readU32(frame, 24) | 0;
  into.placed = placed;
  into.rejects = rejects;
  for (let back = ACK_CHECKSUMS - 1, at = CHECKSUMS_AT; back >= 0; back--, at += 4) {
    if (into.freed >= back) into.checksums[(into.freed - back) % ACK_CHECKSUMS] = readU32(frame, at);
  }
  let at = FIXED_BYTES;
  for (let i = 0; i < 3 * placed; i++, at += 4) into.placedChunks[i] = readU32(frame, at);
  for (let i = 0; i < 3 * rejects; i++, at += 4) into.rejected[i] = readU32(frame, at);
  return into;
}

/** Checksum of an iteration from freed - 7 to freed; 0 for one before the first. */
export function checksumOf(ack: Acknowledgement, iteration: number): number {
  return iteration < 0 ? 0 : ack.checksums[iteration % ACK_CHECKSUMS]!;
}

/** Which of run id and plan hash of a decoded acknowledgement is not the expected one. */
export function foreignAck(frame: Uint8Array, identity: Uint8Array): 'run' | 'plan' | undefined {
  return compareIdentity(frame, IDENTITY_AT, identity);
}
