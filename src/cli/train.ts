/** mqtile train: hands a job to a cluster, on this machine or through a daemon, and follows it to its end. */

import { relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  InputError,
  MqtileError,
  Operator,
  RunError,
  checkJob,
  kernelRates,
  socketPathOf,
  startLocalCluster,
  type Submission,
} from '../index.ts';
import { parseArguments, wholeNumber, type Command } from './command.ts';
import { localNames, readSubmission } from './plan.ts';
import { TrainView } from './train-view.ts';

const HELP = `Usage: mqtile train job.yaml [options]

Trains the job and shows how it goes. With --local, on this machine alone: N nodes as child processes, each with its own MQTT
broker, bridged peer to peer, and its share of the cores. Without, on the cluster of the node that runs here (mqtile node).

  --local N        start node1 to nodeN on this machine
  --grid RxC       rows x columns of tiles, instead of what the job says; one tile a node
  --steps N        stop after N training steps, instead of what the job says
  --resume         go on from the newest checkpoint that all nodes can read
  --broker URL     node to hand the job to (default mqtt://127.0.0.1:1883), or unix:PATH for the socket of the node on this
                   computer; not with --local
  --cluster NAME   its cluster (default home); not with --local
  --json           one JSON object a line on standard output, the result last

Ctrl-C stops the run on all nodes; --resume goes on from its last checkpoint.

Example: mqtile train flows/lenet5-mnist.yaml --local 4
`;

export const trainCommand: Command = { name: 'train', summary: 'train a job and show how it goes', help: HELP, run };

/** A connection that breaks may be noticed this long before the end of the process at its other end. */
const EXIT_MS = 500;

const OPTIONS = {
  local: { type: 'string' },
  grid: { type: 'string' },
  steps: { type: 'string' },
  resume: { type: 'boolean' },
  broker: { type: 'string' },
  cluster: { type: 'string' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments(args, OPTIONS, 1);
  const submission = await readSubmission(positionals[0], values);
  const view = new TrainView(values.json ?? false);
  if (values.local === undefined) {
    const url = brokerUrl(values.broker ?? 'mqtt://127.0.0.1:1883');
    return train(submission, { url, cluster: values.cluster ?? 'home' }, view);
  }
  if (values.broker !== undefined || values.cluster !== undefined) {
    throw new InputError(
      'arguments',
      '--broker and --cluster: name a running node, which --local does not use; give one or the other',
    );
  }
  return trainLocally(submission, wholeNumber('local', values.local, 1), view);
}

/** @throws {InputError} `arguments` */
function brokerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if ((url?.protocol === 'mqtt:' && url.hostname !== '') || socketPathOf(text) !== undefined) return text;
  throw new InputError(
    'arguments',
    `--broker: got ${text}, want mqtt://host:port, e.g. mqtt://127.0.0.1:1883, or unix:PATH, the absolute path that mqtile node prints`,
  );
}

async function trainLocally(submission: Submission, count: number, view: TrainView): Promise<number> {
  const checked = await checkJob(submission, localNames(count));
  const { job, trainSamples, testSamples, steps, startStep, replaced } = checked;
  const resumed = startStep > 0 ? `, from step ${startStep}` : '';
  view.say(
    `${job.model.name}: ${trainSamples.toLocaleString('en')} training images, ${testSamples.toLocaleString('en')} test images, batch ${job.batch}, ${steps.toLocaleString('en')} steps${resumed}`,
  );
  if (replaced > 0)
    view.say(`replacing the checkpoints of an earlier run in ${relative('', job.checkpoint.directory)}`);
  const exited = Promise.withResolvers<string>();
  const onExit = (node: string, how: string) => exited.resolve(`lost ${node}: it ended (${how})`);
  const rates = job.mode === 'fast' ? await kernelRates() : undefined;
  await using cluster = await startLocalCluster({ nodes: count, onExit, ...(rates ? { rates } : {}) });
  view.cluster(cluster);
  const url = `mqtt://127.0.0.1:${cluster.nodes[0]!.port}`;
  try {
    return await train(submission, { url, cluster: cluster.cluster }, view);
  } catch (error) {
    throw (await lostNode(error, exited.promise)) ?? error;
  }
}

/** Who starts the nodes knows better than their peers why one is gone. */
async function lostNode(failure: unknown, exited: Promise<string>): Promise<RunError | undefined> {
  if (!(failure instanceof MqtileError) || !['peerLost', 'nodeGone'].includes(failure.code)) return undefined;
  const why = await Promise.race([exited, pause(EXIT_MS, undefined)]);
  return why === undefined
    ? undefined
    : new RunError('peerLost', `${why}; go on with mqtile train --resume`, { cause: failure });
}

async function train(
  submission: Submission,
  { url, cluster }: { url: string; cluster: string },
  view: TrainView,
): Promise<number> {
  await using operator = await Operator.connect(url, cluster);
  const accepted = await operator.submit(submission);
  view.accepted(accepted);
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    view.say('stopping (Ctrl-C again to leave at once)');
    void operator.stop();
  };
  process.on('SIGINT', interrupt);
  try {
    view.result(accepted, await operator.follow(accepted, (event) => view.event(event)));
    return 0;
  } catch (error) {
    view.end();
    if (interrupted && error instanceof RunError) {
      view.say(error.message);
      return 130;
    }
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
  }
}
