/** Little-endian integers in byte arrays, without a DataView for each frame. */

/** CRC-32 (IEEE 802.3, as in zlib) of some bytes; `protocol` imports no `node:` module, so callers hand the function in. */
export type Checksum = (bytes: Uint8Array) => number;

/** Bytes that run id and plan hash take together in a frame. */
export const IDENTITY_BYTES = 16;

/** Reads an unsigned 32-bit integer; the four bytes must exist. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Writes the low 32 bits of an integer; the four bytes must exist. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Whether something is a text of 16 lower-case hexadecimal digits, as run ids and plan hashes are. */
export function isIdentity(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{16}$/.test(text);
}

/**
 * Run id and plan hash as they stand in every frame: 8 bytes each.
 * @throws RangeError when one of them is not 16 hexadecimal digits
 */
export function identityBytes(run: string, planHash: string): Uint8Array {
  if (!isIdentity(run) || !isIdentity(planHash)) {
    throw new RangeError(`run and plan hash must be 16 hexadecimal digits each, got ${run} and ${planHash}`);
  }
  const digits = run + planHash;
  return Uint8Array.from({ length: IDENTITY_BYTES }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Compares run id and plan hash at an offset with those expected: which of them differs first, if any. */
export function compareIdentity(bytes: Uint8Array, at: number, identity: Uint8Array): 'run' | 'plan' | undefined {
  for (let i = 0; i < IDENTITY_BYTES; i++) {
    if (bytes[at + i] !== identity[i]) return i < IDENTITY_BYTES / 2 ? 'run' : 'plan';
  }
  return undefined;
}
