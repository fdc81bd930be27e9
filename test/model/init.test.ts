import test from 'ava';
import { initialParameters } from '../../src/model/init.ts';
import type { Model } from '../../src/model/layers.ts';
import { parameterTensors } from '../../src/model/parameters.ts';
import { zooModel } from '../../src/model/zoo.ts';

const LENET = zooModel('lenet5');

test('parameters come in layer order, the weight before the bias, with the layouts of PyTorch', (t) => {
  t.deepEqual(
    parameterTensors(LENET).map(({ name, layer, shape, extent }) => [name, layer, shape, extent]),
    [
      ['conv1.weight', 0, [6, 1, 5, 5], [6, 1, 5, 5]],
      ['conv1.bias', 0, [6], [6, 1, 1, 1]],
      ['conv2.weight', 2, [16, 6, 5, 5], [16, 6, 5, 5]],
      ['conv2.bias', 2, [16], [16, 1, 1, 1]],
      ['fc1.weight', 5, [120, 400], [120, 400, 1, 1]],
      ['fc1.bias', 5, [120], [120, 1, 1, 1]],
      ['fc2.weight', 6, [84, 120], [84, 120, 1, 1]],
      ['fc2.bias', 6, [84], [84, 1, 1, 1]],
      ['fc3.weight', 7, [10, 84], [10, 84, 1, 1]],
      ['fc3.bias', 7, [10], [10, 1, 1, 1]],
    ],
  );
});

test('a group of filters has weights for its own input channels only, and that many terms bound them', (t) => {
  const grouped: Model = {
    name: 'grouped',
    input: [6, 9, 9],
    layers: [
      {
        kind: 'conv2d',
        name: 'c',
        filters: 4,
        kernel: 3,
        stride: 1,
        padding: 0,
        dilation: 2,
        groups: 2,
        activation: { kind: 'relu' },
      },
    ],
    loss: 'meanSquares',
  };
  const [weight] = parameterTensors(grouped);
  t.deepEqual([weight!.shape, weight!.extent, weight!.fanIn], [[4, 3, 3, 3], [4, 3, 3, 3], 27]);
  t.is(initialParameters(grouped, 1).get('c.weight')!.values.length, 108);
});

test('weights are bounded by sqrt(6 / fanIn) and reach near the bound, biases are zero', (t) => {
  const tensors = initialParameters(LENET, 1);
  for (const { name, role, fanIn } of parameterTensors(LENET)) {
    const largest = Math.max(...tensors.get(name)!.values.map(Math.abs));
    const bound = Math.sqrt(6 / fanIn);
    if (role === 'bias') {
      t.is(largest, 0, name);
    } else {
      t.true(largest <= bound && largest > 0.9 * bound, `${name}: largest ${largest}, bound ${bound}`);
    }
  }
});

test('a tensor keeps its values when layers are added around it', (t) => {
  const longer: Model = {
    ...LENET,
    layers: [...LENET.layers, { kind: 'dense', name: 'fc4', units: 10, activation: { kind: 'identity' } }],
  };
  t.deepEqual(initialParameters(longer, 3).get('conv2.weight'), initialParameters(LENET, 3).get('conv2.weight'));
  t.notDeepEqual(initialParameters(LENET, 4).get('conv2.weight'), initialParameters(LENET, 3).get('conv2.weight'));
});
