/** Hashes that name things: a model, weights, a file. SHA-256 in hexadecimal. */

import { createHash } from 'node:crypto';
import { bufferSourceToUint8Array } from 'typed-array-utils';
import type { Model } from '../../model/layers.ts';
import type { TensorValues } from '../../model/parameters.ts';
import { MOMENTUM_PREFIX } from '../../program/messages.ts';

/** Same for equal JSON, whatever the order of its keys. */
export function jsonHash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, sortKeys)).digest('hex');
}

/** Same for models that compute the same; their names do not count. */
export function modelHash({ input, layers, loss }: Model): string {
  return jsonHash({ input, layers, loss });
}

/** First 16 digits of a hash over names and bits of all weights, optimizer state left out. */
export function weightsChecksum(tensors: ReadonlyMap<string, TensorValues>): string {
  const hash = createHash('sha256');
  for (const [name, { values }] of tensors) {
    if (!name.startsWith(MOMENTUM_PREFIX)) {
      hash.update(`${name}\n`).update(bufferSourceToUint8Array(values));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** @param pieces a file's bytes, in order */
export function bytesHash(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) {
    hash.update(piece);
  }
  return hash.digest('hex');
}

function sortKeys(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;
}
