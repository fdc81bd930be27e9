/** Checksum of parameters: the body of MurmurHash3 (x86, 32 bits; Austin Appleby, public domain) over 32-bit words. */

import type { ChecksumCall } from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import type { Memory } from './memory.ts';

/** Bits of a float32 without its sign, infinity and the NaN that stands for all: CPUs differ in the NaN they produce. */
const MAGNITUDE = 0x7fffffff;
const INFINITY_BITS = 0x7f800000;
const NAN_BITS = 0x7fc00000;

/** See {@link ChecksumCall}. All NaNs count as the same value. */
export function checksum(memory: Memory, { offset, bytes, target }: ChecksumCall): void {
  let hash = memory.integers[target / FLOAT_BYTES]!;
  for (let at = offset / FLOAT_BYTES; at < (offset + bytes) / FLOAT_BYTES; at++) {
    hash = fold(hash, memory.integers[at]!);
  }
  memory.integers[target / FLOAT_BYTES] = hash;
}

function fold(hash: number, bits: number): number {
  let word = (bits & MAGNITUDE) > INFINITY_BITS ? NAN_BITS : bits;
  word = Math.imul(rotateLeft(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotateLeft(hash ^ word, 13), 5) + 0xe6546b64) | 0;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
