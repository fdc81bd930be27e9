/** mqtile flow: prints the Node-RED flow that trains a job by hand on one device. */

import { basename } from 'node:path';
import {
  InputError,
  describePlan,
  jobOf,
  makeFlow,
  naming,
  parseNodeConfig,
  planHashOf,
  planOf,
  type FlowRequest,
  type NodeConfig,
} from '../index.ts';
import { parseArguments, type Command } from './command.ts';
import { readText } from './node.ts';
import { deviceNames, readSubmission, writeText } from './plan.ts';

const HELP = `Usage: mqtile flow job.yaml --device NAME [options]

Prints a Node-RED flow (JSON) that trains the job by hand on one device: a node for every stage forward and backward, wired as the
plan says, with buttons, and comments that explain it. Import it in that device's Node-RED; every device gets a flow of its own.

  --device NAME    the device whose flow it is, one of the plan's
  --config FILE    that device's node.yaml, which says where it listens and who its peers are
                   (default: all devices on this machine, on ports 1883, 1884, … in the order of the plan)
  --devices FILE   names of the devices by rank: devices: [{name: pi1}, {name: pi2}]   (default: those of --config, else node1, node2, …)
  --local N        node1 to nodeN
  --grid RxC       rows x columns of tiles, instead of what the job says
  --steps N        stop after N training steps, instead of what the job says
  --prefix ID      what the ids in the flow begin with (default mqtile-<job>-<device>)
  --label TEXT     name of the tab (default "<job> on <device>")
  --output FILE    write the flow there instead of printing it

Node-RED looks for the job file as it is named here; relative paths start at its user folder.

Example: mqtile flow flows/lenet5-mnist.yaml --grid 2x2 --device node3 --output node3.json
`;

export const flowCommand: Command = {
  name: 'flow',
  summary: 'make the Node-RED flow that trains a job by hand',
  help: HELP,
  run,
};

const OPTIONS = {
  device: { type: 'string' },
  config: { type: 'string' },
  devices: { type: 'string' },
  local: { type: 'string' },
  grid: { type: 'string' },
  steps: { type: 'string' },
  prefix: { type: 'string' },
  label: { type: 'string' },
  output: { type: 'string' },
} as const;

/** The first device's broker, where there is no node.yaml. */
const FIRST_PORT = 1883;

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments(args, OPTIONS, 1);
  const { device, grid = '', steps = '' } = values;
  const submission = await readSubmission(positionals[0], values);
  if (device === undefined)
    throw new InputError('arguments', '--device: is missing, want the name of the device whose flow it is; see --help');
  const config = values.config === undefined ? undefined : await readConfig(values.config, device);
  const job = jobOf(submission);
  const namesGiven = values.devices !== undefined || values.local !== undefined;
  const devices = config && !namesGiven ? devicesOf(config) : await deviceNames(job.plan, values);
  const plan = naming(basename(submission.source), () => planOf(job, devices));
  const flow = makeFlow({
    plan: describePlan(job, plan, planHashOf(job, plan)),
    model: job.model,
    device,
    job: { name: job.name, path: submission.source, grid, steps },
    node: config ? settingsOf(config) : onThisMachine(devices, device),
    prefix: values.prefix ?? `mqtile-${job.name}-${device}`,
    label: values.label ?? `${job.name} on ${device}`,
  });
  const text = `${JSON.stringify(flow, undefined, 2)}\n`;
  if (values.output === undefined) process.stdout.write(text);
  else await writeText('output', values.output, text);
  return 0;
}

/** @throws {InputError} `deviceUnknown` when the file is another device's */
async function readConfig(path: string, device: string): Promise<NodeConfig> {
  const config = parseNodeConfig(await readText(path), path);
  if (config.name === device) return config;
  throw new InputError(
    'deviceUnknown',
    `--config: is the file of ${config.name}, want that of --device ${device}, or --device ${config.name}`,
  );
}

/** A node and its peers, in an order that each of them comes to. */
function devicesOf({ name, peers }: NodeConfig): readonly string[] {
  const { compare } = new Intl.Collator('en', { numeric: true });
  return [name, ...peers.map((peer) => peer.name)].toSorted(compare);
}

type NodeSettings = FlowRequest['node'];

function settingsOf({ cluster, listen, insecure, peers }: NodeConfig): NodeSettings {
  const address = ({ host, port }: NodeConfig['listen']) => `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    cluster,
    listen: address(listen),
    insecure,
    peers: peers.map((peer) => ({ name: peer.name, address: address(peer) })),
  };
}

function onThisMachine(devices: readonly string[], device: string): NodeSettings {
  const nodes = devices.map((name, rank) => ({ name, address: `127.0.0.1:${FIRST_PORT + rank}` }));
  return {
    cluster: 'home',
    listen: nodes.find(({ name }) => name === device)?.address ?? '',
    insecure: false,
    peers: nodes.filter(({ name }) => name !== device),
  };
}
