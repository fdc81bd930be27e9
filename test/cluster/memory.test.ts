import { writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { startLocalCluster } from '../../src/local.ts';
import { Operator } from '../../src/session/operator.ts';
import { startDaemons } from '../support/daemons.ts';
import { ALL_DIGITS, digitsJob, scratch } from '../support/digits.ts';
import { pause, residentBytes } from '../support/processes.ts';
import { allowed } from '../support/memory-bound.ts';

interface Place {
  readonly name: string;
  readonly pid: number;
}

const MB = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Trains 300 steps and an evaluation, and compares the peak of each process with what it had before, as the system counts it. */
async function growsWithin(t: ExecutionContext, nodes: readonly Place[], where: { url: string; cluster: string }) {
  const directory = await scratch(t);
  await pause(500);
  const idle = await Promise.all(nodes.map(({ pid }) => residentBytes(pid, 'VmRSS')));
  // From here on the system's peak is that of training, not of starting.
  await Promise.all(nodes.map(({ pid }) => writeFile(`/proc/${pid}/clear_refs`, '5')));
  const job = digitsJob(ALL_DIGITS, {
    steps: 300,
    epochs: undefined,
    checkpoint: { everySteps: 50, directory: 'run' },
  });
  await using operator = await Operator.connect(where.url, where.cluster);
  const accepted = await operator.submit({
    text: JSON.stringify(job),
    directory,
    source: 'memory.yaml',
    resume: false,
    writers: 'first',
  });
  const results = await operator.follow(accepted, () => {});
  for (const [k, { name, pid }] of nodes.entries()) {
    const { memoryPredictedBytes, memoryGrowthBytes } = results.get(name)!;
    const growth = (await residentBytes(pid, 'VmHWM')) - idle[k]!;
    const figures = `${name}: idle ${MB(idle[k]!)}, grew by ${MB(growth)} (says ${MB(memoryGrowthBytes)}), plan ${MB(memoryPredictedBytes)}, allowed ${MB(allowed(memoryPredictedBytes))}`;
    t.log(figures);
    t.true(growth <= allowed(memoryPredictedBytes), figures);
    t.true(memoryGrowthBytes <= allowed(memoryPredictedBytes), figures);
  }
}

test.serial('nodes of a local cluster grow by what their plan says, within 15 % and 20 MB', async (t) => {
  const cluster = await startLocalCluster({ nodes: 4 });
  t.teardown(() => cluster.close());
  await growsWithin(t, cluster.nodes, { url: `mqtt://127.0.0.1:${cluster.nodes[0]!.port}`, cluster: cluster.cluster });
});

test.serial('daemons, which a person starts without flags, grow by no more', async (t) => {
  const daemons = await startDaemons(t, await scratch(t), 4);
  const places = daemons.map(({ name, command }) => ({ name, pid: command.child.pid! }));
  await growsWithin(t, places, { url: daemons[0]!.url, cluster: 'test' });
});
