import test from 'ava';
import { RunError } from '../../src/errors.ts';
import { boxOf } from '../../src/tensor/box.ts';
import { Tensor, tensorExpired } from '../../src/tensor/handle.ts';

const ORIGIN = { run: 'r', iteration: 8, step: 7, stage: 1, box: boxOf([2, 3, 4, 5]) };

test('a handle says where it is from and reads its values only when asked', (t) => {
  let reads = 0;
  const tensor = new Tensor(ORIGIN, () => new Float32Array([++reads]));
  t.is(reads, 0);
  t.deepEqual([...tensor.read(), ...tensor.read()], [1, 2]);
  t.like(tensor, ORIGIN);
});

test('a handle cannot be changed, and is not a plain object that message systems would clone', (t) => {
  const tensor = new Tensor(ORIGIN, () => new Float32Array());
  t.true(Object.isFrozen(tensor));
  t.throws(() => Object.assign(tensor, { iteration: 9 }), { instanceOf: TypeError });
  t.is(Object.prototype.toString.call(tensor), '[object Tensor]');
});

test('as JSON a handle is its shape and place, without values', (t) => {
  const tensor = new Tensor(ORIGIN, () => {
    throw tensorExpired(7);
  });
  t.deepEqual(JSON.parse(JSON.stringify(tensor)), {
    dtype: 'float32',
    shape: [2, 3, 4, 5],
    box: 'n0:2 c0:3 y0:4 x0:5',
    step: 7,
  });
  const error = t.throws(() => tensor.read(), { instanceOf: RunError });
  t.is(error.code, 'tensorExpired');
  t.regex(error.message, /step 7/);
});
