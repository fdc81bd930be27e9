import test from 'ava';
import fc from 'fast-check';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFault,
} from '../../../src/training/checkpoint/safetensors.ts';

function file(header: unknown, data = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

/** Keys that the schema library leaves out of every record, for safety; tensors are called `<layer>.weight`. */
const LEFT_OUT = ['__metadata__', '__proto__', 'prototype', 'constructor'];

test('tensors of any shape come back with their bits, and data begins at a multiple of 8', (t) => {
  const tensor = fc.array(fc.nat(4), { maxLength: 4 }).chain((shape) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return fc
      .float32Array({ minLength: length, maxLength: length })
      .map((values) => ({ shape, values: Float32Array.from(values) }));
  });
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((name) => !LEFT_OUT.includes(name) && Number.isNaN(Number(name))),
        tensor,
      ),
      (given) => {
        const tensors = new Map(Object.entries(given));
        const pieces = encodeSafetensors({ tensors, metadata: { step: '7' } });
        t.is(pieces[0]!.length % 8, 0);
        // A byte in front, so that nothing relies on the file's own alignment in memory.
        const bytes = Buffer.concat([Buffer.alloc(1), ...pieces]).subarray(1);
        t.deepEqual(decodeSafetensors(bytes), { tensors, metadata: { step: '7' } });
      },
    ),
    { numRuns: 60 },
  );
});

test('a file without metadata, as others write it, is read', (t) => {
  const bytes = file(
    { a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } },
    Buffer.from(Float32Array.of(1.5, -2).buffer),
  );
  t.deepEqual(decodeSafetensors(bytes), {
    tensors: new Map([['a', { shape: [2], values: Float32Array.of(1.5, -2) }]]),
    metadata: {},
  });
});

const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
const faults: readonly (readonly [title: string, bytes: Buffer, fault: SafetensorsFault['fault'], what: RegExp])[] = [
  ['of three bytes', Buffer.alloc(3), 'truncated', /got 3 bytes/],
  ['cut in its header', file({ a: entry }).subarray(0, 20), 'truncated', /got 20 bytes, its header alone wants/],
  ['cut in its data', file({ a: entry }, Buffer.alloc(7)), 'truncated', /a ends at byte 8 of the data, got 7/],
  ['with a header that is no JSON', file('{"a"'), 'corrupt', /not safetensors/],
  ['with an entry that is none', file({ a: { dtype: 'F32' } }), 'corrupt', /not safetensors/],
  [
    'with a negative offset',
    file({ a: { ...entry, data_offsets: [-8, 0] } }, Buffer.alloc(8)),
    'corrupt',
    /not safetensors/,
  ],
  [
    'whose shape and bytes disagree',
    file({ a: { ...entry, shape: [3] } }, Buffer.alloc(8)),
    'corrupt',
    /gives a 8 bytes, its shape 3 wants 12/,
  ],
  ['of other values', file({ a: { ...entry, dtype: 'BF16' } }, Buffer.alloc(8)), 'dtype', /holds a as BF16, want F32/],
];

for (const [title, bytes, fault, what] of faults) {
  test(`a file ${title} is refused`, (t) => {
    const content = decodeSafetensors(bytes);
    t.true('fault' in content);
    if ('fault' in content) {
      t.is(content.fault, fault);
      t.regex(content.what, what);
    }
  });
}
