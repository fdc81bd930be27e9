import test from 'ava';
import { InputError } from '../../src/errors.ts';
import { parameterTensors } from '../../src/model/parameters.ts';
import { activationShapes } from '../../src/model/shapes.ts';
import { zooModel, zooNames } from '../../src/model/zoo.ts';

test('LeNet-5 has the shapes and the 61706 parameters it is known for', (t) => {
  const model = zooModel('lenet5');
  t.deepEqual(activationShapes(model), [
    [1, 28, 28],
    [6, 28, 28],
    [6, 14, 14],
    [16, 10, 10],
    [16, 5, 5],
    [400, 1, 1],
    [120, 1, 1],
    [84, 1, 1],
    [10, 1, 1],
  ]);
  const sizes = parameterTensors(model).map(({ extent }) => extent.reduce((a, b) => a * b));
  t.is(
    sizes.reduce((a, b) => a + b),
    61_706,
  );
});

test('the front of YOLOv2 has the shapes and the 3421568 parameters of its layers 0 to 15, for any size of image', (t) => {
  const model = zooModel('yolov2-front', [608, 416]);
  t.deepEqual(
    activationShapes(model).map(([channels, rows, columns]) => `${channels} ${rows} ${columns}`),
    [
      '3 608 416',
      '32 608 416',
      '32 304 208',
      '64 304 208',
      '64 152 104',
      '128 152 104',
      '64 152 104',
      '128 152 104',
      '128 76 52',
      '256 76 52',
      '128 76 52',
      '256 76 52',
      '256 38 26',
      '512 38 26',
      '256 38 26',
      '512 38 26',
      '256 38 26',
    ],
  );
  const sizes = parameterTensors(model).map(({ extent }) => extent.reduce((a, b) => a * b));
  t.is(
    sizes.reduce((a, b) => a + b),
    3_421_568,
  );
  t.deepEqual(
    parameterTensors(model)
      .filter(({ role }) => role === 'weight')
      .map(({ name }) => name),
    Array.from({ length: 12 }, (_, i) => `conv${i + 1}.weight`),
  );
});

test('a model with dense layers keeps the size of its images', (t) => {
  t.deepEqual(zooModel('lenet5', [32, 32]).input, [1, 28, 28]);
});

test('every model of the zoo fits together and carries its own name', (t) => {
  for (const name of zooNames()) {
    t.is(zooModel(name).name, name);
    t.notThrows(() => activationShapes(zooModel(name)));
  }
});

test('an unknown model is refused with a list of those there are, a promised one as still to come', (t) => {
  const unknown = t.throws(() => zooModel('lenet'), { instanceOf: InputError });
  t.is(unknown.code, 'unknownModel');
  t.regex(unknown.message, /"lenet".*today: lenet5, yolov2-front/);
  const promised = t.throws(() => zooModel('camera-small'), { instanceOf: InputError });
  t.is(promised.code, 'stillToCome');
  t.regex(promised.message, /still to come; today: lenet5, yolov2-front/);
});
