import test from 'ava';
import type { Member } from '../../src/protocol/documents.ts';
import { compareFingerprints, fingerprintOf } from '../../src/session/fingerprint.ts';
import { randomDataset } from '../support/memory-data.ts';

const train = randomDataset([1, 4, 4], 3, 200);
const start = { step: 0, tensors: new Map([['a.weight', new Float32Array([1, 2])]]) };

function member(fingerprint: Partial<Member>): Member {
  return { run: '0'.repeat(16), planHash: '0'.repeat(16), instance: 'x', state: 'ready', ...fingerprint };
}

test('the same data and weights have the same fingerprint, whatever the order of tensors', async (t) => {
  const two = new Map([
    ['b', new Float32Array([3])],
    ['a', new Float32Array([1])],
  ]);
  const [one, other] = [
    await fingerprintOf({ train, test: undefined }, { step: 0, tensors: two }),
    await fingerprintOf({ train, test: undefined }, { step: 0, tensors: new Map([...two].toReversed()) }),
  ];
  t.deepEqual(one, other);
  t.notThrows(() => compareFingerprints('node1', one, new Map([['node2', member(other)]])));
});

test('other labels, other images, a test set or other weights have another fingerprint', async (t) => {
  const mine = await fingerprintOf({ train, test: undefined }, start);
  const labels = { ...train, labels: train.labels.map((label, i) => (i === 199 ? label ^ 1 : label)) };
  const images = {
    ...train,
    read: async (indices: ArrayLike<number>, target: Uint8Array) => {
      await train.read(indices, target);
      target[0]! ^= 1;
    },
  };
  for (const data of [
    { train: labels, test: undefined },
    { train: images, test: undefined },
    { train, test: train },
  ]) {
    const theirs = await fingerprintOf(data, start);
    t.is(theirs.startHash, mine.startHash);
    t.throws(() => compareFingerprints('node1', mine, new Map([['node2', member(theirs)]])), {
      code: 'dataMismatch',
      message: /^node2 has other images or labels than node1/,
    });
  }
  const tensors = new Map([['a.weight', new Float32Array([1, 2.5])]]);
  const theirs = await fingerprintOf({ train, test: undefined }, { step: 0, tensors });
  t.throws(() => compareFingerprints('node1', mine, new Map([['node2', member(theirs)]])), { code: 'startMismatch' });
});
