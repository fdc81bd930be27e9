import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLocalCluster, type LocalNode } from '../../src/local.ts';
import { Operator } from '../../src/session/operator.ts';
import { listCheckpoints, readCheckpoint } from '../../src/training/checkpoint/read.ts';
import { startCommand, train, type Command, type ResultLine } from '../support/command.ts';
import { digitsJob, someDigits, writeJob, type Digits } from '../support/digits.ts';
import { temporaryDirectory } from '../support/idx.ts';
import { isRunning, killAll, pause, until } from '../support/processes.ts';
import { watchBroker } from '../support/watch.ts';

/** 6,000 digits in batches of 64 are 94 steps. */
const EVERY_STEPS = 10;

let home: string;
let digits: Digits;
let undisturbed: ResultLine;

test.before(async () => {
  home = await temporaryDirectory();
  digits = await someDigits(home, 6000, 2000);
});

test.after.always(() => rm(home, { recursive: true, force: true }));

/** A job of its own for each test. @returns its path and where its checkpoints go */
async function ownJob(t: ExecutionContext, name: string): Promise<{ job: string; run: string }> {
  const run = join(home, name);
  t.teardown(() => rm(run, { recursive: true, force: true }));
  const checkpoint = { everySteps: EVERY_STEPS, directory: run };
  return { run, job: await writeJob(home, digitsJob(digits, { checkpoint }), `${name}.yaml`) };
}

/** Starts a run on four nodes and waits until it has written more than its first checkpoint. */
async function underWay(t: ExecutionContext, job: string): Promise<{ command: Command; nodes: readonly LocalNode[] }> {
  const command = startCommand(t, ['train', job, '--local', '4', '--json']);
  const nodes = (await command.event('cluster'))['nodes'] as readonly LocalNode[];
  t.teardown(() => killAll(nodes.map(({ pid }) => pid)));
  await command.event('step', ({ step }) => Number(step) > EVERY_STEPS);
  return { command, nodes };
}

/** The newest checkpoint is whole and not the run's last. */
async function intact(t: ExecutionContext, run: string): Promise<number> {
  const steps = await listCheckpoints(run);
  const step = steps.at(-1)!;
  t.true(step >= EVERY_STEPS && step < 94, `newest checkpoint is of step ${step}`);
  for (const one of steps) {
    t.is((await readCheckpoint(join(run, `step-${String(one).padStart(6, '0')}.json`))).step, one);
  }
  return step;
}

async function allGone(t: ExecutionContext, nodes: readonly LocalNode[]): Promise<void> {
  for (const { name, pid } of nodes) t.false(await isRunning(pid), `${name} is left over`);
}

test.serial('an undisturbed run gives what the others are compared with', async (t) => {
  const { job } = await ownJob(t, 'undisturbed');
  undisturbed = await train(t, [job, '--local', '4']);
  t.true(undisturbed.testAccuracy! > 0.85, `${undisturbed.testAccuracy}`);
});

for (const victim of ['node3', 'node1']) {
  test.serial(
    `killing ${victim} in mid-step ends the run with one line that names it, and resuming gives the same bits`,
    async (t) => {
      const { job, run } = await ownJob(t, `killed-${victim}`);
      const { command, nodes } = await underWay(t, job);
      const killed = performance.now();
      process.kill(nodes.find(({ name }) => name === victim)!.pid, 'SIGKILL');
      const { code, stderr, stdout } = await command.ended;
      t.log(`${victim}: ${Math.round(performance.now() - killed)} ms from the kill to the end of the command`);
      t.is(code, 1);
      const errors = stderr.split('\n').filter((line) => line.startsWith('mqtile:'));
      t.is(errors.length, 1, stderr);
      t.regex(errors[0]!, new RegExp(`^mqtile: lost ${victim}: .*--resume$`));
      t.false(stdout.includes('"event":"result"'));
      await allGone(t, nodes);
      const step = await intact(t, run);

      const resumed = await train(t, [job, '--local', '4', '--resume']);
      t.is(resumed.weightsChecksum, undisturbed.weightsChecksum, `resumed from step ${step}`);
      t.is(resumed.testAccuracy, undisturbed.testAccuracy);
    },
  );
}

test.serial('three nodes go on where four were stopped, and become as good', async (t) => {
  const { job, run } = await ownJob(t, 'three');
  const { command, nodes } = await underWay(t, job);
  process.kill(nodes[2]!.pid, 'SIGKILL');
  t.is((await command.ended).code, 1);
  await intact(t, run);
  const resumed = await train(t, [job, '--local', '3', '--grid', '1x3', '--resume']);
  t.is(resumed.nodes.length, 3);
  t.log(`three nodes ${resumed.testAccuracy}, four undisturbed ${undisturbed.testAccuracy}`);
  t.true(Math.abs(resumed.testAccuracy! - undisturbed.testAccuracy!) <= 0.005);
});

for (const victim of ['node3', 'node1']) {
  test.serial(`when ${victim} is killed every survivor names it within 5 s and waits for other work`, async (t) => {
    const { job } = await ownJob(t, `named-${victim}`);
    const cluster = await startLocalCluster({ nodes: 4 });
    t.teardown(() => cluster.close());
    const survivors = cluster.nodes.filter(({ name }) => name !== victim);
    const seen = await watchBroker(t, survivors.at(-1)!.port);
    const operator = await Operator.connect(`mqtt://127.0.0.1:${cluster.nodes[0]!.port}`, cluster.cluster);
    t.teardown(() => operator.close());
    const submission = {
      text: JSON.stringify(digitsJob(digits, { epochs: 50, checkpoint: { directory: `run-${victim}` } })),
    };
    await operator.submit({ ...submission, directory: home, source: job, resume: false, writers: 'first' });
    await until(() => seen.some(({ topic }) => topic.endsWith('/step')), 'the first steps');
    const killed = performance.now();
    process.kill(cluster.nodes.find(({ name }) => name === victim)!.pid, 'SIGKILL');
    const named = (node: string) =>
      seen.find(({ topic, document }) => topic.endsWith(`/member/${node}`) && document['state'] === 'failed');
    await until(() => survivors.every(({ name }) => named(name)), 'every survivor to fail');
    for (const { name } of survivors) {
      const { document, at } = named(name)!;
      t.true(String(document['reason']).includes(victim), `${name} says ${String(document['reason'])}`);
      t.true(at - killed < 5000, `${name} took ${at - killed} ms`);
    }
    t.log(
      `${Math.round(Math.max(...survivors.map(({ name }) => named(name)!.at)) - killed)} ms until the last survivor named ${victim}`,
    );
    const online = (node: string) =>
      seen.findLast(({ topic }) => topic.endsWith(`/node/${node}/state`))?.document['state'] === 'online';
    await until(() => survivors.every(({ name }) => online(name)), 'survivors to be online again');
    t.pass();
  });
}

test.serial('nodes whose parent is killed end by themselves, without a word', async (t) => {
  const { job, run } = await ownJob(t, 'orphans');
  const { command, nodes } = await underWay(t, job);
  command.child.kill('SIGKILL');
  const ms = await until(
    async () => !(await Promise.all(nodes.map(({ pid }) => isRunning(pid)))).includes(true),
    'the nodes to end',
    5000,
  );
  t.log(`${Math.round(ms)} ms until the last node had ended`);
  t.notRegex((await command.ended).stderr, /at .*\.(ts|js):\d+/);
  await intact(t, run);
});

test.serial('Ctrl-C stops every node and ends with 130; --resume then gives the undisturbed bits', async (t) => {
  const { job, run } = await ownJob(t, 'interrupted');
  const { command, nodes } = await underWay(t, job);
  // A terminal sends it to every process of the group.
  for (const pid of [command.child.pid!, ...nodes.map((node) => node.pid)]) process.kill(pid, 'SIGINT');
  const { code, stderr } = await command.ended;
  t.is(code, 130);
  t.regex(stderr, /the run was stopped on request; go on with mqtile train --resume/);
  await allGone(t, nodes);
  await intact(t, run);
  t.is((await train(t, [job, '--local', '4', '--resume'])).weightsChecksum, undisturbed.weightsChecksum);
});

test.serial('a node that is frozen for 2 s is waited for', async (t) => {
  const { job } = await ownJob(t, 'frozen');
  const { command, nodes } = await underWay(t, job);
  process.kill(nodes[2]!.pid, 'SIGSTOP');
  await pause(2000);
  process.kill(nodes[2]!.pid, 'SIGCONT');
  t.is((await command.ended).code, 0);
  t.is(command.events().at(-1)!['weightsChecksum'], undisturbed.weightsChecksum);
});

test.serial('a node that stays frozen is lost', async (t) => {
  const { job, run } = await ownJob(t, 'stuck');
  const { command, nodes } = await underWay(t, job);
  const frozen = performance.now();
  process.kill(nodes[1]!.pid, 'SIGSTOP');
  const { code, stderr } = await command.ended;
  t.log(`${Math.round(performance.now() - frozen)} ms from the freeze to the end of the command`);
  t.is(code, 1);
  t.regex(stderr, /^mqtile: lost node2: .*--resume$/m);
  await allGone(t, nodes);
  await intact(t, run);
});
