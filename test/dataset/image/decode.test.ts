import test from 'ava';
import fc from 'fast-check';
import { decodeImage } from '../../../src/dataset/image/decode.ts';
import { imageFormat, MAX_FILE_BYTES } from '../../../src/dataset/image/header.ts';
import { imagePixels } from '../../../src/dataset/image/image-pixels.ts';
import { jpegOf, paint, pngOf, rawPng, turned, type Paint } from '../../support/images.ts';

const SIZE = [7, 5] as const;
const grey: Paint = (x, y) => [20 * x + 10 * y, 20 * x + 10 * y, 20 * x + 10 * y, 255];
const colour: Paint = (x, y) => [30 * x, 50 * y, 200 - 20 * x, 255];
const glass: Paint = (x, y) => [30 * x, 50 * y, 90, 40 * x];
const greyGlass: Paint = (x, y) => [20 * x, 20 * x, 20 * x, 50 * y];

const KINDS = [
  { what: 'grey', colorType: 0, at: grey },
  { what: 'colour', colorType: 2, at: colour },
  { what: 'grey with opacity', colorType: 4, at: greyGlass },
  { what: 'colour with opacity', colorType: 6, at: glass },
] as const;

for (const { what, colorType, at } of KINDS) {
  for (const bitDepth of [8, 16] as const) {
    test(`a PNG of ${what}, ${bitDepth} bits, is decoded to what was painted`, async (t) => {
      const rgba = paint(...SIZE, at);
      const raster = await decodeImage(pngOf(rgba, SIZE, { colorType, bitDepth }));
      t.deepEqual([raster.width, raster.height], [...SIZE]);
      t.deepEqual(Buffer.from(raster.rgba), Buffer.from(rgba));
    });
  }
}

test('a PNG with a palette, some of it transparent, is decoded', async (t) => {
  const palette = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]);
  const rows = Buffer.from([0, 0b00_01_10_11, 0, 0b11_10_01_00]);
  const header = { width: 4, height: 2, bitDepth: 2, colorType: 3 };
  const file = rawPng(header, rows, [
    ['PLTE', palette],
    ['tRNS', Buffer.from([255, 128])],
  ]);
  const { rgba } = await decodeImage(file);
  const colours = [
    [255, 0, 0, 255],
    [0, 255, 0, 128],
    [0, 0, 255, 255],
    [9, 9, 9, 255],
  ];
  t.deepEqual([...rgba], [...colours, ...colours.toReversed()].flat());
});

test('a grey PNG of one bit a pixel, interlaced or not, is decoded', async (t) => {
  const header = { width: 2, height: 2, bitDepth: 1, colorType: 0 };
  const wanted = [0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 255];
  const plain = await decodeImage(rawPng(header, Buffer.from([0, 0b0100_0000, 0, 0b1000_0000])));
  t.deepEqual([...plain.rgba], wanted);
  // Of a 2x2 image the first pass has the upper left pixel, the sixth the upper right, the seventh the lower row.
  const passes = Buffer.from([0, 0, 0, 0b1000_0000, 0, 0b1000_0000]);
  const interlaced = await decodeImage(rawPng({ ...header, interlaced: true }, passes));
  t.deepEqual([...interlaced.rgba], wanted);
});

test('a JPEG in grey or colour is decoded to what was painted, but for its losses', async (t) => {
  for (const at of [grey, colour]) {
    const rgba = paint(64, 40, (x, y) => at(x / 10, y / 10));
    const raster = await decodeImage(jpegOf(rgba, [64, 40]));
    t.deepEqual([raster.width, raster.height], [64, 40]);
    const error = raster.rgba.reduce((sum, byte, i) => sum + Math.abs(byte - rgba[i]!), 0) / rgba.length;
    t.true(error < 2, `mean error ${error}`);
  }
});

test('a JPEG of a camera that was held in another way is turned upright', async (t) => {
  // The upper left corner is bright, and where it is stored tells how the camera was held.
  const stored = (x: number, y: number) =>
    jpegOf(
      paint(16, 8, (u, v) => (u >> 3 === x && v >> 2 === y ? [255, 255, 255, 255] : [0, 0, 0, 255])),
      [16, 8],
    );
  const corners = [
    [1, 0, 0, 16],
    [2, 1, 0, 16],
    [3, 1, 1, 16],
    [4, 0, 1, 16],
    [5, 0, 0, 8],
    [6, 0, 1, 8],
    [7, 1, 1, 8],
    [8, 1, 0, 8],
    [9, 0, 0, 16],
  ] as const;
  for (const [orientation, x, y, width] of corners) {
    for (const little of [true, false]) {
      const raster = await decodeImage(turned(stored(x, y), orientation, little));
      t.deepEqual([raster.width, raster.height], [width, 24 - width], `orientation ${orientation}`);
      t.true(raster.rgba[0]! > 200, `orientation ${orientation}`);
      t.true(raster.rgba.at(-2)! < 50, `orientation ${orientation}`);
    }
  }
});

const png = pngOf(paint(20, 20, colour), [20, 20], { colorType: 2 });
const jpg = jpegOf(paint(40, 40, colour), [40, 40]);

const BROKEN: readonly (readonly [what: string, bytes: Uint8Array, code: string, says: RegExp])[] = [
  ['nothing', Buffer.alloc(0), 'imageInvalid', /is empty; want a whole PNG or JPEG/],
  ['a GIF', Buffer.from('GIF89a'), 'imageInvalid', /neither PNG nor JPEG: it begins with 47494638/],
  ['a PNG of which only the magic number is there', png.subarray(0, 8), 'imageInvalid', /cut short: got 8 bytes/],
  ['a PNG that is cut short', png.subarray(0, png.length / 2), 'imageInvalid', /damaged PNG/],
  ['a PNG without its end', png.subarray(0, -12), 'imageInvalid', /damaged PNG/],
  ['a PNG with a byte changed', flip(png, 60), 'imageInvalid', /damaged PNG/],
  [
    'a PNG without pixels',
    rawPng({ width: 0, height: 4, bitDepth: 8, colorType: 0 }, Buffer.alloc(4)),
    'imageInvalid',
    /0 x 4/,
  ],
  [
    'a PNG of a colour type that there is not',
    rawPng({ width: 4, height: 4, bitDepth: 8, colorType: 5 }, Buffer.alloc(20)),
    'imageInvalid',
    /damaged PNG/,
  ],
  [
    'a PNG with fewer rows than it says',
    rawPng({ width: 4, height: 4, bitDepth: 8, colorType: 0 }, Buffer.alloc(9)),
    'imageInvalid',
    /damaged PNG/,
  ],
  ['a JPEG that is cut short', jpg.subarray(0, jpg.length / 2), 'imageInvalid', /damaged JPEG/],
  ['a JPEG without its end', jpg.subarray(0, -2), 'imageInvalid', /damaged JPEG/],
  ['a JPEG that ends in its header', jpg.subarray(0, 100), 'imageInvalid', /no size was found/],
  ['a JPEG of a rare kind', sofChanged(jpg, 0xc9), 'imageInvalid', /rare kind/],
];

for (const [what, bytes, code, says] of BROKEN) {
  test(`${what} is refused with one line`, async (t) => {
    const error = await t.throwsAsync(decodeImage(bytes), { code, message: says });
    t.false(error.message.includes('\n'));
  });
}

test('images that would take gigabytes are refused by what their headers say, before anything is decoded', async (t) => {
  const wide = rawPng({ width: 50_000, height: 50_000, bitDepth: 16, colorType: 6 }, Buffer.alloc(10));
  await t.throwsAsync(decodeImage(wide), {
    code: 'imageTooLarge',
    message: /50000 x 50000 pixels, want at most 16777216/,
  });
  const large = Buffer.from(jpg);
  large.writeUInt16BE(60_000, sizeAt(jpg));
  large.writeUInt16BE(60_000, sizeAt(jpg) + 2);
  await t.throwsAsync(decodeImage(large), { code: 'imageTooLarge' });
  const long = Buffer.concat([png, Buffer.alloc(MAX_FILE_BYTES)]);
  await t.throwsAsync(decodeImage(long), { code: 'imageTooLarge' });
});

test.serial('a PNG that holds more than its size says is refused without unpacking it', async (t) => {
  const bomb = Buffer.alloc(64 * 1024 * 1024);
  for (const interlaced of [true, false]) {
    const file = rawPng({ width: 8, height: 8, bitDepth: 8, colorType: 0, interlaced }, bomb);
    t.true(file.length < 100_000);
    const before = process.memoryUsage().arrayBuffers;
    await t.throwsAsync(decodeImage(file), { code: 'imageInvalid', message: /damaged PNG/ });
    t.true(process.memoryUsage().arrayBuffers - before < bomb.length / 2);
  }
});

test('no file that begins as an image can do anything but be decoded or be refused', async (t) => {
  const start = fc.constantFrom(png, jpg);
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(start, changes, fc.nat(), async (file, bytes, end) => {
      const damaged = Buffer.from(file.subarray(0, end % 3 === 0 ? end % file.length : file.length));
      for (const [at, byte] of bytes) if (at % file.length < damaged.length) damaged[at % file.length] = byte;
      await decodeImage(damaged).catch((error: { code?: string }) => {
        if (error.code !== 'imageInvalid' && error.code !== 'imageTooLarge') throw error;
      });
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('a large image is converted in a thread to the same pixels, and its errors keep their codes', async (t) => {
  const size = [300, 200] as const;
  const rgba = paint(...size, (x, y) => [x % 256, y, 100, 255]);
  const shape = [3, 200, 300] as const;
  const pixels = await imagePixels(pngOf(rgba, size, { colorType: 2 }), { shape });
  for (let c = 0; c < 3; c++) {
    t.deepEqual(
      Buffer.from(pixels.subarray(c * 60_000, (c + 1) * 60_000)),
      Buffer.from(rgba.filter((_, i) => i % 4 === c)),
    );
  }
  const cut = jpegOf(rgba, size).subarray(0, -100);
  await t.throwsAsync(imagePixels(cut, { shape }), { code: 'imageInvalid', message: /damaged JPEG/ });
  await t.throwsAsync(imagePixels(pngOf(rgba, size, { colorType: 2 }), { shape: [2, 8, 8] }), {
    code: 'imageChannels',
  });
});

test('the magic number decides what a file is', (t) => {
  t.is(imageFormat(png), 'png');
  t.is(imageFormat(jpg), 'jpeg');
  t.is(imageFormat(Buffer.from('PNG')), undefined);
});

function flip(file: Buffer, at: number): Buffer {
  const changed = Buffer.from(file);
  changed[at] = changed[at]! ^ 0x55;
  return changed;
}

/** Where the frame header of a baseline JPEG has rows and columns. */
function sizeAt(file: Buffer): number {
  return file.indexOf(Buffer.from([0xff, 0xc0])) + 5;
}

function sofChanged(file: Buffer, marker: number): Buffer {
  const changed = Buffer.from(file);
  changed[sizeAt(file) - 4] = marker;
  return changed;
}
