import { createRequire } from 'node:module';
import test from 'ava';
import { boxOf } from '../../../src/tensor/box.ts';
import { Tensor } from '../../../src/tensor/handle.ts';

const { util } = createRequire(import.meta.url)('@node-red/util') as { util: { cloneMessage<T>(message: T): T } };

test('Node-RED passes a tensor on as it is, and clones the message around it', (t) => {
  const origin = { run: 'r', iteration: 0, step: 1, stage: 0, box: boxOf([1, 2, 3, 4]) };
  const message = { tensor: new Tensor(origin, () => new Float32Array(24)), payload: { ms: 1 } };
  const clone = util.cloneMessage(message);
  t.is(clone.tensor, message.tensor);
  t.is(clone.tensor.read().length, 24);
  t.not(clone.payload, message.payload);
});
