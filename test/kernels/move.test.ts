import fc from 'fast-check';

import { withBorder } from '../../src/kernels/span.ts';
import { positions, at } from '../../src/kernels/reference/memory.ts';
import { FLOAT_BYTES, contiguous } from '../../src/tensor/view.ts';
import { testModes } from './modes.ts';
import { extents, forAll, storages } from './sandbox.ts';

const shapes = fc.oneof(extents(3, 4, 6, 19), extents(9, 3, 5, 5));
const pairs = fc.record({ extent: shapes, source: storages(3), target: storages(3), dense: fc.boolean() });

testModes('zero clears its bytes and no others', async (t, engine) => {
  await forAll(fc.integer({ min: 0, max: 40 }), async (length, sandbox) => {
    const offset = sandbox.list(length);
    sandbox.writesList('cleared', offset, length);
    await sandbox.agrees(t, engine, [{ kind: 'zero', offset, bytes: length * FLOAT_BYTES }]);
  });
});

testModes('clearBorder clears what lies around every plane and leaves the inside', async (t, engine) => {
  await forAll(fc.record({ extent: shapes, storage: storages(3) }), async ({ extent, storage }, sandbox) => {
    const view = sandbox.view(extent, storage);
    const border = storage.border!;
    const before = sandbox.floats.slice();
    sandbox.writes('border', withBorder(view, border));
    await sandbox.agrees(t, engine, [{ kind: 'clearBorder', view, border }]);
    const after = await sandbox.execute(engine, [{ kind: 'clearBorder', view, border }]);
    for (const p of positions(view)) t.is(after[at(view, p) / FLOAT_BYTES], before[at(view, p) / FLOAT_BYTES]);
  });
});

for (const kind of ['copy', 'add'] as const) {
  testModes(`${kind} takes views of any strides`, async (t, engine) => {
    await forAll(pairs, async (c, sandbox) => {
      const source = sandbox.view(c.extent, c.dense ? {} : c.source);
      const target = sandbox.view(c.extent, c.dense ? {} : c.target);
      sandbox.writes('target', target);
      await sandbox.agrees(t, engine, [{ kind, source, target }]);
    });
  });
}

testModes('copy keeps the bits of what is not a number', async (t, engine) => {
  const words = [0x7fc00001, 0x7f800001, -1, 0x80000000 | 0, 5];
  await forAll(
    fc.constant(words),
    async (_, sandbox) => {
      const source = contiguous(sandbox.words(words), [1, 1, 1, words.length]);
      const target = contiguous(sandbox.list(words.length), [1, 1, 1, words.length]);
      sandbox.writes('target', target);
      const floats = await sandbox.execute(engine, [{ kind: 'copy', source, target }]);
      t.deepEqual([...new Int32Array(floats.buffer, target.offset, words.length)], words);
    },
    1,
  );
});

testModes('a message is packed in chunks with gaps, from any position in it', async (t, engine) => {
  const messages = fc.record({
    extent: shapes,
    storage: storages(2),
    start: fc.integer({ min: 0, max: 30 }),
    chunk: fc.integer({ min: 1, max: 40 }),
    gap: fc.integer({ min: 0, max: 4 }),
  });
  await forAll(messages, async ({ extent, storage, start, chunk, gap }, sandbox) => {
    const source = sandbox.view(extent, storage);
    const length = extent.reduce((product, n) => product * n, 1);
    const cells = start + length + Math.floor((start + length) / chunk) * gap;
    const offset = sandbox.list(cells);
    const place = (float: number): number => offset + (float + Math.floor(float / chunk) * gap) * FLOAT_BYTES;
    // Each float by itself: gaps are not written.
    for (let i = 0; i < length; i++) sandbox.writesList(`float ${i}`, place(start + i), 1);
    await sandbox.agrees(t, engine, [
      {
        kind: 'pack',
        source,
        offset,
        start: start * FLOAT_BYTES,
        chunkBytes: chunk * FLOAT_BYTES,
        gapBytes: gap * FLOAT_BYTES,
      },
    ]);
  });
});

testModes('pixels become floats of the given mean and deviation', async (t, engine) => {
  const images = fc.record({
    extent: shapes,
    target: storages(2),
    gap: fc.integer({ min: 0, max: 3 }),
    mean: fc.constantFrom(0, 0.13),
  });
  await forAll(images, async (c, sandbox) => {
    const [samples, channels, height, width] = c.extent;
    const row = width + c.gap;
    const bytes = samples * channels * height * row;
    const offset = sandbox.take(bytes);
    for (let i = 0; i < bytes; i++) sandbox.bytes[offset + i] = (i * 37) % 256;
    const strides = [channels * height * row, height * row, row, 1] as const;
    const target = sandbox.view(c.extent, c.target);
    sandbox.writes('target', target);
    await sandbox.agrees(t, engine, [
      { kind: 'pixels', source: { offset, extent: c.extent, strides }, target, mean: c.mean, deviation: 0.31 },
    ]);
  });
});
