import test from 'ava';
import { parseMember, parseNodeInfo, parseNodeState } from '../../src/protocol/documents.ts';
import { TYPICAL_RATES } from '../../src/tensor/rates.ts';

const INFO = { version: '1.0.0', protocol: 1, instance: 'abc', cores: 4, memoryBytes: 1e9 };

test('a node info is read, and what is not one is not', (t) => {
  t.deepEqual(parseNodeInfo({ ...INFO, more: true }), INFO);
  for (const wrong of [null, 'text', [], {}, { ...INFO, instance: '' }, { ...INFO, protocol: '1' }]) {
    t.is(parseNodeInfo(wrong), undefined);
  }
});

test('the rates of a node are read where they are whole', (t) => {
  const document = JSON.parse(JSON.stringify({ ...INFO, kernels: TYPICAL_RATES })) as object;
  t.deepEqual(parseNodeInfo(document), { ...INFO, kernels: TYPICAL_RATES });
  const { forward, ...rest } = TYPICAL_RATES;
  const winograd = { ...forward.winograd, product: -1 };
  for (const kernels of [
    null,
    {},
    rest,
    { ...TYPICAL_RATES, wide: 1 },
    { ...rest, forward: { ...forward, winograd } },
  ]) {
    t.deepEqual(parseNodeInfo({ ...INFO, kernels }), INFO);
  }
});

test('a node is online, training or offline', (t) => {
  t.deepEqual(parseNodeState({ state: 'training' }), { state: 'training' });
  t.is(parseNodeState({ state: 'asleep' }), undefined);
});

test('a member names its run, its plan, its instance and its state', (t) => {
  const member = { run: '0'.repeat(16), planHash: '1'.repeat(16), instance: 'abc', state: 'ready' };
  t.like(parseMember(member), member);
  for (const wrong of [undefined, { ...member, run: 'short' }, { ...member, state: 'bored' }]) {
    t.is(parseMember(wrong), undefined);
  }
});
