import test from 'ava';
import fc from 'fast-check';
import { resample } from '../../../src/dataset/image/resample.ts';
import { paint, type Paint } from '../../support/images.ts';

const raster = (width: number, height: number, at: Paint) => ({ width, height, rgba: paint(width, height, at) });
const greyAt =
  (value: (x: number, y: number) => number): Paint =>
  (x, y) => [value(x, y), value(x, y), value(x, y), 255];

test('an image of the input’s own size keeps every pixel', (t) => {
  const size = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(size, size, fc.nat(), (width, height, seed) => {
      const value = (x: number, y: number) => (seed + 97 * x + 31 * y * y) % 256;
      const pixels = resample(raster(width, height, greyAt(value)), { shape: [1, height, width] });
      t.deepEqual(
        [...pixels],
        Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))),
      );
    }),
    { numRuns: 50 },
  );
});

test('an image of one colour stays one colour at any size', (t) => {
  const size = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(size, size, size, size, (width, height, rows, columns) => {
      const pixels = resample(
        raster(width, height, () => [10, 20, 30, 255]),
        { shape: [3, rows, columns] },
      );
      pixels.forEach((byte, i) => t.is(byte, 10 * (1 + Math.floor(i / (rows * columns)))));
    }),
    { numRuns: 50 },
  );
});

test('shrinking takes the mean over the area, also where pixels are cut', (t) => {
  const four = raster(
    4,
    2,
    greyAt((x, y) => 10 * x + 100 * y),
  );
  t.deepEqual([...resample(four, { shape: [1, 1, 2] })], [55, 75]);
  const three = raster(
    3,
    1,
    greyAt((x) => [0, 90, 210][x]!),
  );
  // Each half of three pixels is one and a half: (0 + 90 / 2) / 1.5 and (90 / 2 + 210) / 1.5.
  t.deepEqual([...resample(three, { shape: [1, 1, 2] })], [30, 170]);
});

test('growing draws straight lines between the centres of pixels', (t) => {
  const two = raster(
    2,
    1,
    greyAt((x) => 100 * x),
  );
  t.deepEqual([...resample(two, { shape: [1, 1, 4] })], [0, 25, 75, 100]);
});

test('grey is weighed as eyes do, opacity lies over white, and grey becomes three equal channels', (t) => {
  const one = (...rgba: [number, number, number, number]) => raster(1, 1, () => rgba);
  t.deepEqual([...resample(one(255, 0, 0, 255), { shape: [1, 1, 1] })], [76]);
  t.deepEqual([...resample(one(0, 255, 0, 255), { shape: [1, 1, 1] })], [150]);
  t.deepEqual([...resample(one(0, 0, 0, 0), { shape: [1, 1, 1] })], [255]);
  t.deepEqual([...resample(one(0, 0, 200, 51), { shape: [3, 1, 1] })], [204, 204, 244]);
  t.deepEqual([...resample(one(7, 7, 7, 255), { shape: [3, 1, 1] })], [7, 7, 7]);
});

test('inverting makes dark light', (t) => {
  const two = raster(
    2,
    1,
    greyAt((x) => 255 - 55 * x),
  );
  t.deepEqual([...resample(two, { shape: [1, 1, 2], invert: true })], [0, 55]);
});

test('a wide image is stretched, or contained with zeros above and below, inverted or not', (t) => {
  const wide = raster(4, 2, () => [90, 90, 90, 255]);
  t.deepEqual(
    [...resample(wide, { shape: [1, 4, 4] })],
    Array.from({ length: 16 }, () => 90),
  );
  const lines = (value: number) => [0, value, value, 0].flatMap((byte) => [byte, byte, byte, byte]);
  t.deepEqual([...resample(wide, { shape: [1, 4, 4], fit: 'contain' })], lines(90));
  t.deepEqual([...resample(wide, { shape: [1, 4, 4], fit: 'contain', invert: true })], lines(165));
  const thin = raster(100, 1, () => [90, 90, 90, 255]);
  t.is(resample(thin, { shape: [1, 8, 8], fit: 'contain' }).filter((byte) => byte === 90).length, 8);
});

test('a model that wants two channels is told so', (t) => {
  const image = raster(1, 1, () => [0, 0, 0, 255]);
  t.throws(() => resample(image, { shape: [2, 1, 1] }), { code: 'imageChannels', message: /wants 2 channels/ });
});
