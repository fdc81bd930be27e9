import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import test from 'ava';

import type { Arena, Engine } from '../../src/kernels/engine.ts';
import { STRICT_URL, loadKernels } from '../../src/kernels/loader.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { contiguous } from '../../src/tensor/view.ts';

const engines: readonly (readonly [string, () => Promise<Engine>])[] = [
  ['the worker engine', () => createEngine()],
  ['the reference engine', () => Promise.resolve(createReferenceEngine())],
];

const floatsOf = (arena: Arena): Float32Array => new Float32Array(arena.bytes.buffer, 0, arena.bytes.byteLength >> 2);

/** Adds one float to another. */
const addition = (source: number, target: number): KernelCall => ({
  kind: 'add',
  source: contiguous(source, [1, 1, 1, 1]),
  target: contiguous(target, [1, 1, 1, 1]),
});

for (const [name, create] of engines) {
  test(`${name} executes submissions in the order given, any number of times`, async (t) => {
    await using engine = await create();
    const arena = await engine.allocate(256);
    const floats = floatsOf(arena);
    floats[16] = 1;
    const double = arena.compile([addition(64, 64)]);
    const increase = arena.compile([addition(128, 64), addition(128, 64)]);
    floats[32] = 1;
    t.is(increase.calls, 2);
    // ((1·2) + 2)·2 + 2 = 10 only in this order.
    const times = await Promise.all([arena.run(double), arena.run(increase), arena.run(double), arena.run(increase)]);
    t.is(floats[16], 10);
    t.true(times.every((ms) => ms >= 0));
  });

  test(`${name} keeps arenas apart and starts them zeroed`, async (t) => {
    await using engine = await create();
    const [a, b] = [await engine.allocate(200), await engine.allocate(100_000)];
    t.true(b.bytes.every((byte) => byte === 0));
    t.is(b.bytes.byteLength, 100_000);
    floatsOf(a).fill(1);
    floatsOf(b).fill(2);
    await Promise.all([a.run(a.compile([addition(64, 128)])), b.run(b.compile([addition(64, 128)]))]);
    t.is(floatsOf(a)[32], 2);
    t.is(floatsOf(b)[32], 4);
    const foreign = b.compile([addition(64, 128)]);
    await t.throwsAsync(a.run(foreign), { code: 'kernelFailed' });
    a.release();
    a.release();
    await t.throwsAsync(a.run(foreign), { code: 'kernelFailed' });
    await b.run(foreign);
    t.is(floatsOf(b)[32], 6);
  });

  test(`${name} does not begin what was aborted before`, async (t) => {
    await using engine = await create();
    const arena = await engine.allocate(256);
    const floats = floatsOf(arena).fill(1);
    const submission = arena.compile([addition(64, 128)]);
    const reason = new Error('enough');
    await t.throwsAsync(arena.run(submission, AbortSignal.abort(reason)), { is: reason });
    t.is(floats[32], 1);
    await arena.run(submission, new AbortController().signal);
    t.is(floats[32], 2);
  });

  test(`${name} refuses calls that leave the arena when it compiles them`, async (t) => {
    await using engine = await create();
    const arena = await engine.allocate(256);
    t.throws(() => arena.compile([addition(64, 64), addition(64, 256)]), {
      code: 'kernelCall',
      message: 'call 1 (add): target covers bytes 256 to 260 of an arena of 256',
    });
  });

  test(`${name} closes more than once, and gives nothing afterwards`, async (t) => {
    const engine = await create();
    const arena = await engine.allocate(256);
    await engine.close();
    await engine.close();
    await t.throwsAsync(engine.allocate(256));
    arena.release();
  });
}

test('the worker engine executes what was queued before it is closed', async (t) => {
  const engine = await createEngine();
  const arena = await engine.allocate(256);
  const floats = floatsOf(arena).fill(1);
  const submission = arena.compile([addition(64, 128)]);
  const runs = [arena.run(submission), arena.run(submission)];
  await engine.close();
  await Promise.all(runs);
  t.is(floats[32], 3);
  await t.throwsAsync(arena.run(submission), { code: 'kernelFailed' });
});

test('a submission that is aborted while it waits is not executed', async (t) => {
  await using engine = await createEngine();
  const arena = await engine.allocate(256);
  const floats = floatsOf(arena).fill(1);
  const submission = arena.compile([addition(64, 128)]);
  const controller = new AbortController();
  const first = arena.run(submission);
  const second = arena.run(submission, controller.signal);
  controller.abort();
  await first;
  await t.throwsAsync(second, { name: 'AbortError' });
  t.is(floats[32], 2);
});

test('a trap in WebAssembly fails its submission and leaves the engine usable', async (t) => {
  await using engine = await createEngine();
  const arena = await engine.allocate(256);
  const floats = floatsOf(arena).fill(1);
  const broken = arena.compile([addition(64, 128)]);
  // The block of the submission lies behind the arena; its first word is the opcode.
  new Int32Array(arena.bytes.buffer)[256 / 4] = 99;
  const good = arena.compile([addition(64, 128)]);
  await t.throwsAsync(arena.run(broken), { code: 'kernelFailed', message: /unreachable/u });
  await arena.run(good);
  t.is(floats[32], 2);
});

test('blocks may need more memory than the arena had', async (t) => {
  await using engine = await createEngine();
  const arena = await engine.allocate(65_536);
  const floats = floatsOf(arena).fill(1);
  const submission = arena.compile(Array.from({ length: 3000 }, () => addition(64, 128)));
  await arena.run(submission);
  t.is(floats[32], 3001);
  t.is(floatsOf(arena)[32], 3001);
});

test('an arena that no machine has is refused', async (t) => {
  await using engine = await createEngine();
  await t.throwsAsync(engine.allocate(2 ** 40), { code: 'outOfMemory' });
});

test('missing kernels are reported with the command that builds them', async (t) => {
  await t.throwsAsync(loadKernels(new URL('nowhere.wasm', import.meta.url)), {
    code: 'kernelsMissing',
    message: /npm run build:kernels/u,
  });
});

test('a file that is no kernel is refused', async (t) => {
  await t.throwsAsync(loadKernels(new URL(import.meta.url)), { code: 'kernelsInvalid' });
});

test('kernels bring no data of their own into an arena', async (t) => {
  const bytes = await readFile(STRICT_URL);
  const sections: number[] = [];
  for (let at = 8; at < bytes.length;) {
    sections.push(bytes[at]!);
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const byte = bytes[++at]!;
      size |= (byte & 0x7f) << shift;
      more = byte >= 0x80;
    }
    at += size + 1;
  }
  t.true(sections.includes(10), 'the section of code is there');
  t.false(sections.includes(11), 'a section of data would overwrite the arena at every start');
});

test('an engine that is idle does not keep the process alive, and one that works does', (t) => {
  const url = pathToFileURL(fileURLToPath(new URL('../../src/kernels/wasm-engine.ts', import.meta.url))).href;
  const script = `
    const { createEngine } = await import(${JSON.stringify(url)});
    const engine = await createEngine();
    const arena = await engine.allocate(1024);
    const submission = arena.compile([{ kind: 'zero', offset: 64, bytes: 64 }]);
    for (let i = 0; i < 3; i++) await arena.run(submission);
    console.log('done');`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  t.is(stdout.trim(), 'done');
  t.is(status, 0);
});
