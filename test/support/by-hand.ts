/** Node-REDs of this machine that train one job together, each with the flow that the command makes for its device. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { runCommand } from './command.ts';
import type { Status } from './comms.ts';
import { freePorts, writeNodeConfig } from './daemons.ts';
import { RuntimeProcess } from './runtime-process.ts';

/** Devices of this machine, each with the file that says who it is. */
export interface Site {
  /** Where user folders and files of devices go. */
  readonly folder: string;
  /** Path of the job file. */
  readonly job: string;
  /** By rank: node1, node2, … */
  readonly names: readonly string[];
  readonly configs: readonly string[];
}

/** Writes the files of devices that are each other's peers, on free ports. */
export async function layOutSite(folder: string, job: string, devices: number): Promise<Site> {
  const ports = await freePorts(devices);
  const names = ports.map((_, rank) => `node${rank + 1}`);
  const nodes = names.map((name, rank) => ({ name, address: `127.0.0.1:${ports[rank]}` }));
  const configs = await Promise.all(
    names.map((name, rank) => {
      const peers = nodes.filter((node) => node.name !== name);
      return writeNodeConfig(folder, { name, port: ports[rank]!, peers });
    }),
  );
  return { folder, job, names, configs };
}

/** Starts a Node-RED with the flow of one device; its ids begin with `by-hand`. It ends with the test. */
export async function startByHand(
  t: ExecutionContext,
  { folder, job, names, configs }: Site,
  rank: number,
): Promise<RuntimeProcess> {
  const args = ['flow', job, '--device', names[rank]!, '--config', configs[rank]!, '--prefix', 'by-hand'];
  const { code, stdout, stderr } = await runCommand(t, args);
  if (code !== 0) throw new Error(stderr);
  const directory = join(folder, `red-${names[rank]}`);
  await mkdir(directory);
  const runtime = await RuntimeProcess.start({ directory, flow: showingErrors(JSON.parse(stdout) as Item[]) });
  t.teardown(() => runtime.close());
  return runtime;
}

type Item = Readonly<Record<string, unknown>>;

/** Whole errors, with their codes, instead of sentences for people. */
function showingErrors(flow: readonly Item[]): readonly Item[] {
  return flow.map((item) => (item['id'] === 'by-hand-errors' ? { ...item, complete: 'error' } : item));
}

/** The checksum of the finished model, which the dataset's second output ends with. */
export function checksum(runtime: RuntimeProcess, id = 'by-hand-epoch'): Promise<string> {
  const find = () =>
    runtime
      .shown(id)
      .map((shown) => (shown as { readonly weightsChecksum?: string }).weightsChecksum)
      .find((sum) => sum !== undefined);
  return runtime.until(find, 'the finished model');
}

/** Waits for what the dataset shows of the run. */
export function shows(runtime: RuntimeProcess, what: RegExp): Promise<Status> {
  return runtime.status('by-hand-dataset', ({ text = '' }) => what.test(text));
}

/** What reached the Catch node. */
export function errors(runtime: RuntimeProcess): readonly { readonly code?: string; readonly message: string }[] {
  return runtime.shown('by-hand-errors') as readonly { readonly code?: string; readonly message: string }[];
}
