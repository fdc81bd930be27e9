/**
 * Safetensors, the file format of tensors that PyTorch users know (huggingface.co/docs/safetensors, "Format"), float32 only.
 *
 *     8 bytes              n bytes                          rest
 *     n, little-endian     JSON, padded with spaces to 8    tensors, row-major little-endian, without gaps
 *     {"conv1.weight": {"dtype": "F32", "shape": [6,1,5,5], "data_offsets": [0, 600]}, …, "__metadata__": {…}}
 */

import { bufferSourceToDataView, bufferSourceToUint8Array } from 'typed-array-utils';
import * as v from 'valibot';
import type { TensorValues } from '../../model/parameters.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';

/** Tensors by name, and what the file says of itself. */
export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, TensorValues>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Why bytes are no safetensors file of float32 values. `dtype`: it is one, of other values. */
export interface SafetensorsFault {
  readonly fault: 'truncated' | 'corrupt' | 'dtype';
  readonly what: string;
}

const HEADER_LENGTH_BYTES = 8;
const ALIGNMENT = 8;

const extent = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const entry = v.object({ dtype: v.string(), shape: v.array(extent), data_offsets: v.tuple([extent, extent]) });
const header = v.objectWithRest({ __metadata__: v.optional(v.record(v.string(), v.string()), {}) }, entry);
type Entry = v.InferOutput<typeof entry>;

/** The file in pieces, in their order: the header, then each tensor's bytes (views, not copies). */
export function encodeSafetensors({ tensors, metadata }: SafetensorsContent): readonly Uint8Array[] {
  const entries: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    entries[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const padded = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const head = new Uint8Array(HEADER_LENGTH_BYTES + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, HEADER_LENGTH_BYTES);
  return [head, ...[...tensors.values()].map(({ values }) => bufferSourceToUint8Array(values))];
}

/**
 * Reads a whole file; the tensors are copies.
 * @returns what the file holds, or what is wrong with it
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsContent | SafetensorsFault {
  if (bytes.length < HEADER_LENGTH_BYTES) {
    return { fault: 'truncated', what: `got ${bytes.length} bytes, want at least a header` };
  }
  const length = bufferSourceToDataView(bytes).getBigUint64(0, true);
  const dataStart = HEADER_LENGTH_BYTES + Number(length);
  if (dataStart > bytes.length) {
    return { fault: 'truncated', what: `got ${bytes.length} bytes, its header alone wants ${dataStart}` };
  }
  const parsed = v.safeParse(header, parseJson(bytes.subarray(HEADER_LENGTH_BYTES, dataStart)));
  if (!parsed.success) {
    return { fault: 'corrupt', what: `has a header that is not safetensors (${parsed.issues[0].message})` };
  }
  const { __metadata__: metadata, ...entries } = parsed.output;
  const data = bytes.subarray(dataStart);
  const tensors = new Map<string, TensorValues>();
  for (const [name, one] of Object.entries(entries)) {
    const fault = entryFault(name, one, data.length);
    if (fault !== undefined) {
      return fault;
    }
    const [start, end] = one.data_offsets;
    const values = new Float32Array((end - start) / FLOAT_BYTES);
    new Uint8Array(values.buffer).set(data.subarray(start, end));
    tensors.set(name, { shape: one.shape, values });
  }
  return { tensors, metadata };
}

function entryFault(
  name: string,
  { dtype, shape, data_offsets: [start, end] }: Entry,
  available: number,
): SafetensorsFault | undefined {
  if (dtype !== 'F32') {
    return { fault: 'dtype', what: `holds ${name} as ${dtype}, want F32` };
  }
  const wanted = shape.reduce((product, size) => product * size, FLOAT_BYTES);
  if (end - start !== wanted) {
    return {
      fault: 'corrupt',
      what: `gives ${name} ${end - start} bytes, its shape ${shape.join('x')} wants ${wanted}`,
    };
  }
  if (end > available) {
    return { fault: 'truncated', what: `is cut short: ${name} ends at byte ${end} of the data, got ${available}` };
  }
  return undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
