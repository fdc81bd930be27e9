import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { kernelRates } from '../../src/bench/rates-cache.ts';
import { TYPICAL_RATES, type KernelRates } from '../../src/tensor/rates.ts';
import { scratch } from '../support/digits.ts';

/** A machine that is measured: with every time it gets slower. */
function machine(): { readonly asked: boolean[]; readonly measure: (revectorize: boolean) => Promise<KernelRates> } {
  const asked: boolean[] = [];
  const measure = (revectorize: boolean) => {
    asked.push(revectorize);
    const direct = { product: asked.length, source: 0, target: 0, weights: 0 };
    return Promise.resolve({ ...TYPICAL_RATES, forward: { ...TYPICAL_RATES.forward, direct } });
  };
  return { asked, measure };
}

test('a machine is measured once for kernels with revectorization, and once for those without', async (t) => {
  const file = join(await scratch(t), 'deep', 'kernels.json');
  const { asked, measure } = machine();
  const wide = await kernelRates({ revectorize: true, file, measure });
  const plain = await kernelRates({ revectorize: false, file, measure });
  t.notDeepEqual(wide, plain);
  t.deepEqual(await kernelRates({ revectorize: true, file, measure }), wide);
  t.deepEqual(await kernelRates({ revectorize: false, file, measure }), plain);
  t.deepEqual(asked, [true, false]);
  t.deepEqual(await readdir(join(file, '..')), ['kernels.json'], 'no temporary file is left');
});

test('a file that is torn, foreign, of other rates or not there is measured over', async (t) => {
  const file = join(await scratch(t), 'kernels.json');
  const { asked, measure } = machine();
  await kernelRates({ file, measure });
  const whole = await readFile(file, 'utf8');
  const contents = [
    whole.slice(0, 40),
    'hello',
    '[1, 2]',
    'null',
    whole.replaceAll(/"product": \d+/g, '"product": -1'),
  ];
  for (const content of contents) {
    await writeFile(file, content);
    const rates = await kernelRates({ file, measure });
    t.is(rates.forward.direct.product, asked.length, content);
    t.deepEqual(await kernelRates({ file, measure }), rates, content);
  }
  t.is(asked.length, 1 + contents.length);
});

test('rates of other machines, Node versions and builds stay beside those of this one', async (t) => {
  const file = join(await scratch(t), 'kernels.json');
  const { measure } = machine();
  await kernelRates({ file, measure });
  const [entry] = Object.entries(JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>);
  const [key, rates] = entry!;
  t.true(key.includes(process.version) && key.includes(process.arch));
  await writeFile(file, JSON.stringify({ 'another machine': rates }));
  await kernelRates({ file, measure });
  t.deepEqual(Object.keys(JSON.parse(await readFile(file, 'utf8')) as object), ['another machine', key]);
});

test('where nothing can be kept the machine is measured each time', async (t) => {
  const folder = await scratch(t);
  const file = join(folder, 'kernels.json');
  await mkdir(file);
  const { asked, measure } = machine();
  await kernelRates({ file, measure });
  await kernelRates({ file, measure });
  t.is(asked.length, 2);
});

test('the file keeps the latest entries only, for builds come and go', async (t) => {
  const file = join(await scratch(t), 'kernels.json');
  const old = Object.fromEntries(Array.from({ length: 40 }, (_, build) => [`build ${build}`, {}]));
  await writeFile(file, JSON.stringify(old));
  const { measure } = machine();
  await kernelRates({ file, measure });
  const kept = Object.keys(JSON.parse(await readFile(file, 'utf8')) as object);
  t.is(kept.length, 16);
  t.is(kept[14], 'build 39');
  t.true(kept[15]!.includes(process.version));
});
