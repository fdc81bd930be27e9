import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { InputError, RunError } from '../../../src/errors.ts';
import { initialParameters } from '../../../src/model/init.ts';
import type { Model } from '../../../src/model/layers.ts';
import { zooModel } from '../../../src/model/zoo.ts';
import { createRandom } from '../../../src/tensor/random.ts';
import { modelHash, weightsChecksum } from '../../../src/training/checkpoint/hash.ts';
import type { CheckpointContent } from '../../../src/training/checkpoint/manifest.ts';
import {
  checkpointFile,
  kernelsOfRun,
  listCheckpoints,
  readCheckpoint,
  readWeights,
} from '../../../src/training/checkpoint/read.ts';
import { removeCheckpoints, writeCheckpoint } from '../../../src/training/checkpoint/write.ts';
import { temporaryDirectory } from '../../support/idx.ts';

const LENET = zooModel('lenet5');

function content(step: number, seed = 1): CheckpointContent {
  const tensors = initialParameters(LENET, seed);
  for (const [name, values] of initialParameters(LENET, seed + 1)) {
    tensors.set(`momentum.${name}`, values);
  }
  return { step, epoch: 0, model: LENET, job: { name: 'x', batch: 64 }, planHash: 'abc', tensors };
}

test('what is written is read back, bit for bit, from either of its two files', async (t) => {
  const directory = join(await temporaryDirectory(), 'deep', 'er');
  const file = await writeCheckpoint(directory, content(200));
  t.is(file, join(directory, 'step-000200.safetensors'));
  t.is(file, checkpointFile(directory, 200));
  t.deepEqual(await readdir(directory), ['step-000200.json', 'step-000200.safetensors']);
  for (const path of [file, file.replace('.safetensors', '.json')]) {
    const { file: readFrom, weightsChecksum: checksum, ...read } = await readCheckpoint(path, LENET);
    t.deepEqual(read, content(200));
    t.is(readFrom, file);
    t.is(checksum, weightsChecksum(content(200).tensors));
  }
});

test('the kernels of a run are those of its newest manifest, and of mode strict where it says nothing', async (t) => {
  const directory = await temporaryDirectory();
  t.is(await kernelsOfRun(directory), undefined);
  await writeCheckpoint(directory, content(5));
  t.deepEqual(await kernelsOfRun(directory), { devices: [], kernels: { mode: 'strict' } });
  const passes = { forward: 'winograd', inputGradient: 'direct', weightGradient: 'direct' } as const;
  const kernels = { mode: 'fast', wide: [true, false], convolutions: { conv1: passes } } as const;
  const record = { devices: ['pi1', 'pi2'], kernels };
  const file = await writeCheckpoint(directory, { ...content(10), kernels: record });
  t.deepEqual((await readCheckpoint(file)).kernels, record);
  t.deepEqual(await kernelsOfRun(directory), record);
});

test('steps are listed in order, a directory that is not there holds none, and strange files do not count', async (t) => {
  const directory = await temporaryDirectory();
  t.deepEqual(await listCheckpoints(join(directory, 'none')), []);
  for (const step of [1_000_000, 0, 200]) {
    await writeCheckpoint(directory, content(step));
  }
  await writeFile(join(directory, 'step-7.json'), '{}');
  await writeFile(join(directory, 'step-0000007.json'), '{}');
  await writeFile(join(directory, 'step-000007.safetensors'), '');
  await writeFile(join(directory, 'notes.json'), '{}');
  t.deepEqual(await listCheckpoints(directory), [0, 200, 1_000_000]);
  await removeCheckpoints(directory);
  t.deepEqual(await listCheckpoints(directory), []);
  t.deepEqual((await readdir(directory)).toSorted(), [
    'notes.json',
    'step-0000007.json',
    'step-000007.safetensors',
    'step-7.json',
  ]);
});

test('a checkpoint can be replaced', async (t) => {
  const directory = await temporaryDirectory();
  const file = await writeCheckpoint(directory, content(5, 1));
  await writeCheckpoint(directory, content(5, 9));
  t.deepEqual((await readCheckpoint(file)).tensors, content(5, 9).tensors);
});

test('a directory that cannot be written to is reported with the way out', async (t) => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'file'), '');
  await t.throwsAsync(writeCheckpoint(join(directory, 'file'), content(1)), {
    instanceOf: RunError,
    code: 'checkpointWrite',
    message: /step-000001\.safetensors: cannot be written.*checkpoint\.directory/,
  });
});

const wider: Model = {
  ...LENET,
  layers: LENET.layers.map((layer) => ('units' in layer && layer.units === 84 ? { ...layer, units: 85 } : layer)),
};
const leakier: Model = {
  ...LENET,
  layers: LENET.layers.map((layer) =>
    layer.kind === 'conv2d' ? { ...layer, activation: { kind: 'leakyRelu', slope: 0.1 } } : layer,
  ),
};

test('a checkpoint of another model is refused, naming what differs, even where all tensors fit', async (t) => {
  const file = await writeCheckpoint(await temporaryDirectory(), content(5));
  const error = await t.throwsAsync(readCheckpoint(file, wider), { instanceOf: InputError, code: 'checkpointModel' });
  t.is(
    error.message,
    `${file}: is of another model (lenet5): fc2.weight is 84x120, the job's model wants 85x120; give its own model, or another checkpoint.directory`,
  );
  await t.throwsAsync(readCheckpoint(file, leakier), {
    code: 'checkpointModel',
    message: /same shapes, but .*activations differ/,
  });
  await t.notThrowsAsync(readCheckpoint(file, { ...LENET, name: 'a copy' }));
});

const damage: readonly (readonly [
  title: string,
  change: (file: string) => Promise<void>,
  code: string,
  message: RegExp,
])[] = [
  [
    'whose tensors are cut short',
    (file) => truncate(file, 1000),
    'checkpointTruncated',
    /got 1000 bytes, its manifest says \d+; remove it/,
  ],
  [
    'whose tensors are too long',
    async (file) => writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(8)])),
    'checkpointCorrupt',
    /is too long/,
  ],
  ['with one wrong bit', (file) => flipBit(file), 'checkpointCorrupt', /SHA-256 differs.*remove it/],
  ['without tensors', (file) => rm(file), 'checkpointMissing', /does not exist/],
  ['without a manifest', (file) => rm(manifestOf(file)), 'checkpointMissing', /json: does not exist/],
  [
    'whose manifest is cut short',
    (file) => truncate(manifestOf(file), 100),
    'checkpointCorrupt',
    /json: is not a manifest/,
  ],
  [
    'whose manifest is of another version',
    (file) => editManifest(file, '"version": 1', '"version": 2'),
    'checkpointCorrupt',
    /is not a manifest of a checkpoint \(version: /,
  ],
  [
    'whose model was edited',
    (file) => editManifest(file, '"filters": 6', '"filters": 7'),
    'checkpointCorrupt',
    /model and modelHash differ/,
  ],
];

for (const [title, change, code, message] of damage) {
  test(`a checkpoint ${title} is refused in one line that names the file`, async (t) => {
    const directory = await temporaryDirectory();
    const file = await writeCheckpoint(directory, content(5));
    await change(file);
    const error = await t.throwsAsync(readCheckpoint(file, LENET), { instanceOf: InputError, code, message });
    t.true(error.message.startsWith(join(directory, 'step-000005.')), error.message);
    t.false(error.message.includes('\n'));
  });
}

function manifestOf(file: string): string {
  return file.replace('.safetensors', '.json');
}

async function flipBit(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length - 5]! ^= 1;
  await writeFile(file, bytes);
}

async function editManifest(file: string, from: string, to: string): Promise<void> {
  const text = await readFile(manifestOf(file), 'utf8');
  await writeFile(manifestOf(file), text.replace(from, to));
}

test('weights to begin with come from any file that holds the tensors, and only from such', async (t) => {
  const file = await writeCheckpoint(await temporaryDirectory(), content(5));
  t.deepEqual(await readWeights(file, LENET), initialParameters(LENET, 1));
  await t.throwsAsync(readWeights(file, wider), {
    code: 'checkpointModel',
    message: /fc2\.weight is 84x120, the model lenet5 wants 85x120/,
  });
  await truncate(file, 5000);
  await t.throwsAsync(readWeights(file, LENET), {
    code: 'checkpointTruncated',
    message: /is cut short: \S+ ends at byte/,
  });
  await t.throwsAsync(readWeights(join(file, '..', 'none'), LENET), { code: 'checkpointMissing' });
});

test('the hash of a model ignores names and the order of keys, and sees everything else', (t) => {
  t.is(modelHash({ ...LENET, name: 'other' }), modelHash(LENET));
  t.is(
    modelHash(JSON.parse(JSON.stringify({ loss: LENET.loss, layers: LENET.layers, input: LENET.input })) as Model),
    modelHash(LENET),
  );
  t.not(modelHash(wider), modelHash(LENET));
  t.not(modelHash(leakier), modelHash(LENET));
});

test('optimizer state does not count in the checksum of the weights, every weight does', (t) => {
  const { tensors } = content(1);
  const before = weightsChecksum(tensors);
  t.is(weightsChecksum(initialParameters(LENET, 1)), before);
  tensors.get('momentum.fc1.bias')!.values[3] = 1;
  t.is(weightsChecksum(tensors), before);
  tensors.get('fc1.bias')!.values[3] = 1;
  t.not(weightsChecksum(tensors), before);
});

test('a writer that is killed at any moment leaves only checkpoints that read whole', async (t) => {
  const directory = await temporaryDirectory();
  const random = createRandom(5);
  let read = 0;
  let interrupted = 0;
  for (let round = 0; round < 12; round++) {
    const writer = spawn(process.execPath, ['test/support/checkpoint-writer.ts', directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(writer.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 20 + random.below(120)));
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    interrupted += (await readdir(directory)).some((name) => name.endsWith(`.${writer.pid}.tmp`)) ? 1 : 0;
    for (const step of await listCheckpoints(directory)) {
      const { tensors, epoch } = await readCheckpoint(checkpointFile(directory, step));
      t.true([...tensors.values()].every(({ values }) => values.every((value) => value === epoch)));
      read++;
    }
  }
  t.log(`${interrupted} of 12 kills fell into a write, ${read} checkpoints were read`);
  t.true(read > 0, 'no checkpoint was ever finished: the test shows nothing');
  await writeCheckpoint(directory, content(9));
  t.deepEqual(
    (await readdir(directory)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

const PARSE_IN_PYTHON = `
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', data[:8])[0]
assert n % 8 == 0
header = json.loads(data[8:8 + n])
del header['__metadata__']
out = {}
for name, entry in header.items():
    start, end = entry['data_offsets']
    values = struct.unpack('<%df' % ((end - start) // 4), data[8 + n + start:8 + n + end])
    out[name] = [entry['dtype'], entry['shape'], len(values), values[0], values[-1]]
print(json.dumps(out))
`;

const python = spawnSync('python3', ['--version']).status === 0;

(python ? test : test.skip)('Python reads the tensors from the format as its documentation describes it', async (t) => {
  const file = await writeCheckpoint(await temporaryDirectory(), content(5));
  const { stdout } = spawnSync('python3', ['-c', PARSE_IN_PYTHON, file], { encoding: 'utf8' });
  const expected = [...content(5).tensors].map(([name, { shape, values }]) => [
    name,
    ['F32', shape, values.length, values[0], values.at(-1)],
  ]);
  t.deepEqual(JSON.parse(stdout), Object.fromEntries(expected));
});
