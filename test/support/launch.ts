/** `npm run node-red` as a process of its own, with a published flow. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const MAIN = fileURLToPath(new URL('../../nodes/launch/main.ts', import.meta.url));
const FLOWS = new URL('../../flows/', import.meta.url);

/** A node of a flow, as its file has it. */
export type FlowFileNode = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

export interface Launched {
  readonly child: ChildProcess;
  readonly url: string;
  /** Everything that was printed so far; errors of the runtime are in it. */
  readonly printed: () => string;
}

/** Starts `npm run node-red` and waits until it says where the editor is. @throws when it ends before */
export async function launch(t: ExecutionContext, args: readonly string[]): Promise<Launched> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    const take = (text: string) => {
      printed += text;
      const address = /palette: (http:\S+)/.exec(printed)?.[1];
      if (address !== undefined) resolve(address);
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
    child.once('exit', () => reject(new Error(`ended without the address of an editor:\n${printed}`)));
  });
  return { child, url, printed: () => printed };
}

/** The nodes of a published flow. */
export async function publishedFlow(name: string): Promise<readonly FlowFileNode[]> {
  return JSON.parse(await readFile(new URL(name, FLOWS), 'utf8')) as readonly FlowFileNode[];
}

/** Makes these nodes what Node-RED finds in its user folder. */
export async function writeNodes(folder: string, nodes: readonly object[]): Promise<void> {
  await writeFile(join(folder, 'flows.json'), JSON.stringify(nodes));
}

/** Flow 02 as it is published, but for the port of its broker, which may be taken here, and fewer steps. */
export async function writeFlow(folder: string, port: number): Promise<void> {
  const nodes = await publishedFlow('02-train-one-node.json');
  const changed = nodes.map((node) => {
    if (node.type === 'mqtile-node') return { ...node, listen: `127.0.0.1:${port}` };
    return node.type === 'mqtile-job' ? { ...node, steps: '20' } : node;
  });
  await writeNodes(folder, changed);
}
