import { crc32 } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { ACK_BYTES, ACK_CHECKSUMS, ACK_PLACED, ACK_REJECTS, checksumOf } from '../../src/protocol/ack.ts';
import { decodeAck, emptyAcknowledgement, encodeAck, foreignAck } from '../../src/protocol/ack.ts';
import type { Acknowledgement } from '../../src/protocol/ack.ts';
import { identityBytes } from '../../src/protocol/bytes.ts';

const IDENTITY = identityBytes('00112233445566ff', 'a0a1a2a3a4a5a6a7');
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const triples = (maxLength: number) => fc.array(fc.tuple(u32, u32, u32), { maxLength });

const acknowledgements = fc
  .record({
    freed: fc.integer({ min: -1, max: 0x7fff_ffff }),
    checksums: fc.array(u32, { minLength: ACK_CHECKSUMS, maxLength: ACK_CHECKSUMS }),
    placed: triples(ACK_PLACED),
    rejected: triples(ACK_REJECTS),
  })
  .map(({ freed, checksums, placed, rejected }): Acknowledgement => {
    const ack = emptyAcknowledgement();
    ack.freed = freed;
    ack.checksums.set(checksums);
    ack.placed = placed.length;
    ack.placedChunks.set(placed.flat());
    ack.rejects = rejected.length;
    ack.rejected.set(rejected.flat());
    return ack;
  });

function encoded(ack: Acknowledgement): Uint8Array {
  const target = new Uint8Array(ACK_BYTES);
  return target.slice(0, encodeAck(target, ack, IDENTITY, crc32));
}

test('what is encoded is decoded again, with the checksums of the last eight iterations', (t) => {
  fc.assert(
    fc.property(acknowledgements, (ack) => {
      const got = decodeAck(encoded(ack), emptyAcknowledgement(), crc32);
      if (typeof got === 'string') return t.fail(got);
      t.is(got.freed, ack.freed);
      t.deepEqual(got.placedChunks.slice(0, 3 * got.placed), ack.placedChunks.slice(0, 3 * ack.placed));
      t.deepEqual(got.rejected.slice(0, 3 * got.rejects), ack.rejected.slice(0, 3 * ack.rejects));
      for (let i = Math.max(0, ack.freed - ACK_CHECKSUMS + 1); i <= ack.freed; i++) {
        t.is(checksumOf(got, i), checksumOf(ack, i));
      }
    }),
  );
});

test('every flipped bit and every cut of an acknowledgement is refused', (t) => {
  const ack = emptyAcknowledgement();
  ack.placed = 2;
  const frame = encoded(ack);
  for (let bit = 0; bit < 8 * frame.length; bit++) {
    frame[bit >> 3]! ^= 1 << (bit & 7);
    t.is(typeof decodeAck(frame, emptyAcknowledgement(), crc32), 'string', `bit ${bit}`);
    frame[bit >> 3]! ^= 1 << (bit & 7);
  }
  for (let bytes = 0; bytes < frame.length; bytes++) {
    t.is(typeof decodeAck(frame.subarray(0, bytes), emptyAcknowledgement(), crc32), 'string');
  }
  t.is(typeof decodeAck(frame, emptyAcknowledgement(), crc32), 'object');
});

test('an acknowledgement of another run or plan is told apart', (t) => {
  const frame = encoded(emptyAcknowledgement());
  t.is(foreignAck(frame, IDENTITY), undefined);
  t.is(foreignAck(frame, identityBytes('f'.repeat(16), 'a0a1a2a3a4a5a6a7')), 'run');
  t.is(foreignAck(frame, identityBytes('00112233445566ff', 'f'.repeat(16))), 'plan');
});
