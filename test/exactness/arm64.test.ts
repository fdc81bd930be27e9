import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { KernelMode } from '../../src/kernels/loader.ts';
import { decodeSafetensors, type SafetensorsContent } from '../../src/training/checkpoint/safetensors.ts';
import { scratch } from '../support/digits.ts';
import { runEmulated, whyNoEmulator } from '../support/emulator.ts';
import { relativeError } from '../support/lockstep.ts';

const SCRIPT = fileURLToPath(new URL('../support/arm64/steps.ts', import.meta.url));

const reason = process.arch === 'arm64' ? 'this is an arm64 computer' : whyNoEmulator();
const emulated = reason === undefined ? test : test.skip;
// eslint-disable-next-line no-console -- ava prints that a test is skipped, not why
if (reason !== undefined) console.log(`comparison with an emulated arm64 CPU skipped: ${reason}`);

/** The steps of one thread here, and of `threads` there. @returns pairs of the values of each tensor */
async function runBoth(t: ExecutionContext, mode: KernelMode, threads: number) {
  const directory = await scratch(t);
  const [here, there] = [join(directory, 'here'), join(directory, 'there')];
  await promisify(execFile)(process.execPath, [SCRIPT, mode, '1', here]);
  await runEmulated(SCRIPT, [mode, String(threads), there]);
  const [mine, theirs] = [await read(here), await read(there)];
  t.is(mine.metadata['cpu'], process.arch);
  t.is(theirs.metadata['cpu'], 'arm64');
  t.deepEqual([...theirs.tensors.keys()], [...mine.tensors.keys()]);
  t.true(mine.tensors.size > 100);
  return [...mine.tensors].map(([name, { values }]) => ({ name, values, others: theirs.tensors.get(name)!.values }));
}

async function read(file: string): Promise<SafetensorsContent> {
  const content = decodeSafetensors(await readFile(file));
  if ('fault' in content) throw new Error(`${file} ${content.what}`);
  return content;
}

for (const threads of [1, 2]) {
  const title = `LeNet-5 and odd networks take the same steps on arm64, to the last bit, with ${threads} of its threads`;
  emulated(title, async (t) => {
    const pairs = await runBoth(t, 'strict', threads);
    const differing = pairs.filter(
      ({ values, others }) => !Buffer.from(values.buffer).equals(Buffer.from(others.buffer)),
    );
    t.deepEqual(
      differing.map(({ name }) => name),
      [],
    );
  });
}

emulated('in mode fast arm64 takes the same steps but for rounding', async (t) => {
  const pairs = await runBoth(t, 'fast', 1);
  const farthest = Math.max(...pairs.map(({ values, others }) => relativeError(others, values)));
  t.log(`weights and momentum: ${farthest.toExponential(1)}`);
  t.true(farthest <= 1e-5);
});
