/** `npm run node-red` as a process of its own, with the published flow. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const MAIN = fileURLToPath(new URL('../../nodes/launch/main.ts', import.meta.url));
const FLOW = new URL('../../flows/02-train-one-node.json', import.meta.url);

/** Starts `npm run node-red` and waits until it says where the editor is. */
export async function launch(
  t: ExecutionContext,
  args: readonly string[],
): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text));
  for await (const text of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    printed += text;
    const url = /palette: (http:\S+)/.exec(printed)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error(`ended without the address of an editor:\n${printed}`);
}

/** The flow as it is published, but for the port of its broker, which may be taken here, and fewer steps. */
export async function writeFlow(folder: string, port: number): Promise<void> {
  const nodes = JSON.parse(await readFile(FLOW, 'utf8')) as readonly Record<string, unknown>[];
  const changed = nodes.map((node) => {
    if (node['type'] === 'mqtile-node') return { ...node, listen: `127.0.0.1:${port}` };
    return node['type'] === 'mqtile-job' ? { ...node, steps: '20' } : node;
  });
  await writeFile(join(folder, 'flows.json'), JSON.stringify(changed));
}
