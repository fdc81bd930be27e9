import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { readCheckpoint } from '../../src/training/checkpoint/read.ts';
import { COMPILED_MAIN, startCommand } from '../support/command.ts';
import { allowed } from '../support/memory-bound.ts';
import { ALL_DIGITS, digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { watchBroker } from '../support/watch.ts';
import { parseXml } from '../support/xml.ts';

const FLOW = new URL('../../flows/lenet5-mnist.yaml', import.meta.url);

test.serial(
  'one epoch of flows/lenet5-mnist.yaml on four nodes reaches 98 %, with the same weights on all',
  async (t) => {
    t.timeout(300_000);
    const directory = await scratch(t);
    const flow = parse(await readFile(FLOW, 'utf8')) as Record<string, unknown> & { checkpoint: object };
    const data = { ...(flow['data'] as object), ...ALL_DIGITS };
    const checkpoint = { ...flow.checkpoint, directory: 'run' };
    const job = await writeJob(directory, { ...flow, data, checkpoint });
    const command = startCommand(t, ['train', job, '--local', '4', '--json'], { main: COMPILED_MAIN });
    const nodes = (await command.event('cluster'))['nodes'] as { port: number }[];
    const seen = await watchBroker(t, nodes[2]!.port);
    const { code, stderr } = await command.ended;
    t.is(code, 0, stderr);
    const result = command.events().at(-1)!;
    t.log(`accuracy ${String(result['testAccuracy'])} after ${Math.round(Number(result['seconds']))} s`);
    t.true(Number(result['testAccuracy']) >= 0.98, String(result['testAccuracy']));

    const done = seen.filter(({ topic, document }) => topic.includes('/member/') && document['state'] === 'done');
    const checksums = done.map(({ document }) => (document['result'] as { weightsChecksum: string }).weightsChecksum);
    t.is(new Set(done.map(({ topic }) => topic)).size, 4);
    t.deepEqual([...new Set(checksums)], [result['weightsChecksum']]);

    for (const node of result['nodes'] as { node: string; memoryGrowthBytes: number; memoryPredictedBytes: number }[]) {
      const bound = allowed(node.memoryPredictedBytes);
      t.log(`${node.node} grew by ${(node.memoryGrowthBytes / 1e6).toFixed(1)} of ${(bound / 1e6).toFixed(1)} MB`);
      t.true(node.memoryGrowthBytes <= bound, node.node);
    }

    const last = await readCheckpoint(String(result['checkpoint']));
    t.is(last.step, 938);
    t.is(last.weightsChecksum, String(result['weightsChecksum']));
    t.is(String(result['curve']), join(directory, 'run', 'curve.svg'));
    t.is(parseXml(await readFile(String(result['curve']), 'utf8')), 'svg');
  },
);

test.serial(
  'a loss that is not finite ends the run, says at which step and on which node, and leaves the checkpoints whole',
  async (t) => {
    const directory = await scratch(t);
    const job = digitsJob(await someDigits(directory, 640, 64), {
      optimizer: { kind: 'sgd', rate: 1e30 },
      checkpoint: { everySteps: 1, directory: 'run' },
    });
    const command = startCommand(t, ['train', await writeJob(directory, job), '--local', '4']);
    const { code, stderr } = await command.ended;
    t.is(code, 1);
    const lines = stderr.split('\n').filter((line) => line.startsWith('mqtile:'));
    t.is(lines.length, 1, stderr);
    t.regex(lines[0]!, /loss is (NaN|-?Infinity) at step \d+ on (node[1-4](, )?)+; lower optimizer\.rate/);
    const first = await readCheckpoint(join(directory, 'run', 'step-000000.safetensors'));
    t.is(first.step, 0);
  },
);
