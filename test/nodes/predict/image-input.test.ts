import test from 'ava';
import fc from 'fast-check';
import { heldBytes, imageInput } from '../../../nodes/predict/image-input.ts';
import { Tensor, tensorExpired } from '../../../src/tensor/handle.ts';
import { greyPng } from '../../support/images.ts';

const file = greyPng(new Uint8Array(784));
const origin = {
  run: 'r',
  iteration: 1,
  step: 0,
  stage: 0,
  box: [
    [0, 1],
    [0, 1],
    [0, 28],
    [0, 28],
  ],
} as const;

test('every way to name an image is understood', (t) => {
  const url = `data:image/png;base64,${file.toString('base64')}`;
  const values = Float32Array.of(0.5, -1);
  const tensor = new Tensor(origin, () => values);
  t.deepEqual(imageInput({ payload: file }), { kind: 'bytes', bytes: new Uint8Array(file) });
  t.deepEqual(imageInput({ payload: url }), { kind: 'bytes', bytes: Buffer.from(file) });
  t.deepEqual(imageInput({ payload: 'photos/seven.png' }), { kind: 'file', path: 'photos/seven.png' });
  t.deepEqual(
    imageInput({
      payload: [
        [1, 2],
        [3, 255],
      ],
    }),
    { kind: 'pixels', pixels: Uint8Array.of(1, 2, 3, 255) },
  );
  t.deepEqual(imageInput({ payload: Uint8Array.of(7, 8) }), { kind: 'pixels', pixels: Uint8Array.of(7, 8) });
  t.deepEqual(imageInput({ payload: Uint8ClampedArray.of(7) }), { kind: 'pixels', pixels: Uint8Array.of(7) });
  t.deepEqual(imageInput({ payload: values }), { kind: 'values', values });
  t.deepEqual(imageInput({ payload: tensor }), { kind: 'values', values });
  t.deepEqual(imageInput({ payload: { epoch: 0, samples: 1 }, tensor }), { kind: 'values', values });
});

test('a tensor is read at once, and one that has expired says so', (t) => {
  const gone = new Tensor(origin, () => {
    throw tensorExpired(139);
  });
  t.throws(() => imageInput({ tensor: gone }), { code: 'tensorExpired' });
});

const WRONG: readonly (readonly [what: string, payload: unknown, says: RegExp])[] = [
  ['nothing', undefined, /got undefined, want a PNG or JPEG/],
  ['an empty text', '', /got an empty text/],
  ['a data URL of something else', 'data:text/plain,hello', /got data:text\/plain,hello/],
  ['an object', { image: 1 }, /got Object/],
  ['a number', 7, /got 7/],
  ['shares instead of pixels', [0, 0.5, 1], /value 1 is 0\.5, want whole numbers from 0 to 255, or a Float32Array/],
  ['pixels beyond 255', [0, 256], /value 1 is 256/],
  ['texts among pixels', [0, 'x'.repeat(1000)], /value 1 is x{100}…,/],
];

for (const [what, payload, says] of WRONG) {
  test(`${what} is refused`, (t) => {
    t.throws(() => imageInput({ payload }), { code: 'imageInvalid', message: says });
  });
}

test('whatever a message holds, it becomes an input or an error with a code', (t) => {
  fc.assert(
    fc.property(fc.anything({ withTypedArray: true, withNullPrototype: true }), (payload) => {
      try {
        t.true(heldBytes(imageInput({ payload, tensor: payload })) >= 0);
      } catch (error) {
        t.is((error as { code?: string }).code, 'imageInvalid');
      }
    }),
    { numRuns: 500 },
  );
});
