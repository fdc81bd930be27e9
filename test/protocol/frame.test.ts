import { crc32 } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { identityBytes, writeU32 } from '../../src/protocol/bytes.ts';
import { CHUNK_BYTES, chunkBytes, chunkCount, decodeFrame, encodeFrame } from '../../src/protocol/frame.ts';
import { foreignFrame, HEADER_BYTES } from '../../src/protocol/frame.ts';
import type { FrameFields } from '../../src/protocol/frame.ts';

const RUN = '00112233445566ff';
const PLAN = 'a0a1a2a3a4a5a6a7';
const IDENTITY = identityBytes(RUN, PLAN);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

function blank(): FrameFields {
  return { iteration: -1, message: -1, chunk: -1, totalBytes: -1 };
}

/** A frame with a payload of counted bytes. */
function frameOf(fields: FrameFields): Uint8Array {
  const payload = chunkBytes(fields.totalBytes, fields.chunk);
  const frame = Uint8Array.from({ length: HEADER_BYTES + payload }, (_, i) => i * 7);
  encodeFrame(frame, fields, IDENTITY, crc32);
  return frame;
}

/** Fields of frames whose payload is small: a short message, or the short last chunk of a long one. */
const smallFields = fc
  .record({ iteration: u32, message: u32, chunk: fc.nat(100), last: fc.integer({ min: 1, max: 200 }) })
  .map(({ iteration, message, chunk, last }) => ({
    iteration,
    message,
    chunk,
    totalBytes: chunk * CHUNK_BYTES + last,
  }));

test('what is encoded is decoded again', (t) => {
  fc.assert(
    fc.property(smallFields, (fields) => {
      const frame = frameOf(fields);
      const payload = frame.slice(HEADER_BYTES);
      t.deepEqual(decodeFrame(frame, blank(), crc32), fields);
      t.deepEqual(frame.subarray(HEADER_BYTES), payload);
      t.is(foreignFrame(frame, IDENTITY), undefined);
    }),
  );
});

test('every flipped bit of a frame is refused', (t) => {
  const frame = frameOf({ iteration: 5, message: 9, chunk: 2, totalBytes: 2 * CHUNK_BYTES + 20 });
  for (let bit = 0; bit < 8 * frame.length; bit++) {
    frame[bit >> 3]! ^= 1 << (bit & 7);
    t.is(typeof decodeFrame(frame, blank(), crc32), 'string', `bit ${bit}`);
    frame[bit >> 3]! ^= 1 << (bit & 7);
  }
  t.is(typeof decodeFrame(frame, blank(), crc32), 'object');
});

test('a frame that is cut short or too long is refused', (t) => {
  const frame = frameOf({ iteration: 0, message: 0, chunk: 0, totalBytes: 40 });
  for (let bytes = 0; bytes < frame.length; bytes++) {
    t.is(typeof decodeFrame(frame.subarray(0, bytes), blank(), crc32), 'string');
  }
  t.is(decodeFrame(Uint8Array.of(...frame, 0), blank(), crc32), 'length');
});

test('each wrong field of a sealed header is refused for its own reason', (t) => {
  const cases = [
    { at: 0, value: 0, reason: 'magic' },
    { at: 4, value: 2 | (1 << 8) | (64 << 16), reason: 'version' },
    { at: 4, value: 1 | (2 << 8) | (64 << 16), reason: 'dtype' },
    { at: 4, value: 1 | (1 << 8) | (60 << 16), reason: 'length' },
    { at: 32, value: 1, reason: 'length' },
    { at: 36, value: 2, reason: 'length' },
    { at: 40, value: 44, reason: 'length' },
    { at: 44, value: CHUNK_BYTES + 1, reason: 'length' },
    { at: 48, value: 1, reason: 'crc' },
  ];
  for (const { at, value, reason } of cases) {
    const frame = frameOf({ iteration: 3, message: 4, chunk: 0, totalBytes: 40 });
    writeU32(frame, at, value);
    writeU32(frame, 60, crc32(frame.subarray(0, 60)));
    t.is<unknown, string>(decodeFrame(frame, blank(), crc32), reason, `offset ${at}`);
  }
});

test('a frame of another run or plan is told apart', (t) => {
  const frame = frameOf({ iteration: 3, message: 4, chunk: 0, totalBytes: 4 });
  t.is(foreignFrame(frame, identityBytes(RUN.replace('f', 'e'), PLAN)), 'run');
  t.is(foreignFrame(frame, identityBytes(RUN, PLAN.replace('7', '8'))), 'plan');
  t.throws(() => identityBytes('0123', PLAN), { instanceOf: RangeError });
});

test('chunks cover a message once', (t) => {
  fc.assert(
    fc.property(fc.nat(5 * CHUNK_BYTES), (totalBytes) => {
      const sizes = Array.from({ length: chunkCount(totalBytes) }, (_, k) => chunkBytes(totalBytes, k));
      t.is(
        sizes.reduce((sum, bytes) => sum + bytes, 0),
        totalBytes,
      );
      t.true(sizes.every((bytes, k) => bytes <= CHUNK_BYTES && (bytes > 0 || k === 0)));
    }),
  );
});
