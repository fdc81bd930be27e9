import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { decodeSafetensors, type SafetensorsContent } from '../../src/training/checkpoint/safetensors.ts';
import { scratch } from '../support/digits.ts';
import { runEmulated, whyNoEmulator } from '../support/emulator.ts';

const SCRIPT = fileURLToPath(new URL('../support/arm64/steps.ts', import.meta.url));

const reason = process.arch === 'arm64' ? 'this is an arm64 computer' : whyNoEmulator();
const emulated = reason === undefined ? test : test.skip;
// eslint-disable-next-line no-console -- ava prints that a test is skipped, not why
if (reason !== undefined) console.log(`comparison with an emulated arm64 CPU skipped: ${reason}`);

async function read(file: string): Promise<SafetensorsContent> {
  const content = decodeSafetensors(await readFile(file));
  if ('fault' in content) throw new Error(`${file} ${content.what}`);
  return content;
}

for (const threads of [1, 2]) {
  emulated(
    `LeNet-5 and odd networks take the same steps on arm64, to the last bit, with ${threads} of its threads`,
    async (t) => {
      const directory = await scratch(t);
      const [here, there] = [join(directory, 'here'), join(directory, 'there')];
      await promisify(execFile)(process.execPath, [SCRIPT, '1', here]);
      await runEmulated(SCRIPT, [String(threads), there]);
      const [mine, theirs] = [await read(here), await read(there)];
      t.is(mine.metadata['cpu'], process.arch);
      t.is(theirs.metadata['cpu'], 'arm64');
      t.deepEqual([...theirs.tensors.keys()], [...mine.tensors.keys()]);
      const differing = [...mine.tensors].filter(
        ([name, { values }]) =>
          !Buffer.from(values.buffer).equals(Buffer.from(theirs.tensors.get(name)!.values.buffer)),
      );
      t.deepEqual(
        differing.map(([name]) => name),
        [],
      );
      t.true(mine.tensors.size > 100);
    },
  );
}
