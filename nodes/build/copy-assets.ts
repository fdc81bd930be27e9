/** Puts beside the compiled nodes what Node-RED looks for there, and the example flows where its Examples menu looks. */

import { cp, mkdir, readdir, rm } from 'node:fs/promises';

const NODES = new URL('../', import.meta.url);
const COMPILED = new URL('../../dist/nodes/', import.meta.url);
const FLOWS = new URL('../../flows/', import.meta.url);
const EXAMPLES = new URL('../../examples/', import.meta.url);

await mkdir(COMPILED, { recursive: true });
for (const folder of ['icons', 'locales'])
  await cp(new URL(folder, NODES), new URL(folder, COMPILED), { recursive: true });
await copyFiles(NODES, COMPILED, '.html');

await rm(EXAMPLES, { recursive: true, force: true });
await mkdir(EXAMPLES);
await copyFiles(FLOWS, EXAMPLES, '.json');

async function copyFiles(from: URL, to: URL, extension: string): Promise<void> {
  const names = await readdir(from);
  const wanted = names.filter((name) => name.endsWith(extension));
  await Promise.all(wanted.map((name) => cp(new URL(name, from), new URL(name, to))));
}
