/** Node-REDs of this machine that train one job together, each with the flow that the command makes for its device. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Command } from './command.ts';
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

/** Starts a Node-RED with the flow that the command makes for a device; its ids begin with `by-hand`. */
export async function openByHand(
  site: Site,
  rank: number,
  nodeOptions: readonly string[] = [],
  change: (flow: readonly Item[]) => readonly Item[] = (flow) => flow,
): Promise<RuntimeProcess> {
  const directory = join(site.folder, `red-${site.names[rank]}`);
  await mkdir(directory);
  return RuntimeProcess.start({ directory, flow: change(await byHandFlow(site, rank)), nodeOptions });
}

/** The same for a test, with which it ends. */
export async function startByHand(t: ExecutionContext, site: Site, rank: number): Promise<RuntimeProcess> {
  const runtime = await openByHand(site, rank);
  t.teardown(() => runtime.close());
  return runtime;
}

/** What the command makes, but that whole errors are shown, with their codes. */
export async function byHandFlow({ job, names, configs }: Site, rank: number): Promise<readonly Item[]> {
  const args = ['flow', job, '--device', names[rank]!, '--config', configs[rank]!, '--prefix', 'by-hand'];
  const { code, stdout, stderr } = await new Command(args).ended;
  if (code !== 0) throw new Error(stderr);
  const flow = JSON.parse(stdout) as readonly Item[];
  return flow.map((item) => (item['id'] === 'by-hand-errors' ? { ...item, complete: 'error' } : item));
}

/** An entry of a flow file. */
export type Item = Readonly<Record<string, unknown>>;

/** What the dataset's second output ends with. */
export function finishedModel(runtime: RuntimeProcess): { readonly weightsChecksum: string } | undefined {
  const shown = runtime.shown('by-hand-epoch') as readonly { readonly weightsChecksum?: string }[];
  return shown.find((one): one is { readonly weightsChecksum: string } => one.weightsChecksum !== undefined);
}

/** Waits for the end of the run. @returns the checksum of its weights */
export async function checksum(runtime: RuntimeProcess): Promise<string> {
  return (await runtime.until(() => finishedModel(runtime), 'the finished model')).weightsChecksum;
}

/** Waits for what the dataset shows of the run. */
export function shows(runtime: RuntimeProcess, what: RegExp): Promise<Status> {
  return runtime.status('by-hand-dataset', ({ text = '' }) => what.test(text));
}

/** What reached the Catch node. */
export function errors(runtime: RuntimeProcess): readonly { readonly code?: string; readonly message: string }[] {
  return runtime.shown('by-hand-errors') as readonly { readonly code?: string; readonly message: string }[];
}
