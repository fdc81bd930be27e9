/** npm run node-red: a ready Node-RED on loopback, with the palette and the flows. */

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepareUserFolder } from './user-folder.ts';

const HELP = `Usage: npm run --silent node-red -- [options]

Opens a Node-RED on loopback that has MQTile's nodes in its palette and the flows of flows/ on tabs. Ctrl-C closes it.

  --port N         of the editor (default 1880)
  --user-dir DIR   where flows are kept (default: a temporary folder that goes with Node-RED)
`;

const RED = createRequire(import.meta.url).resolve('node-red/red.js');

process.exitCode = await main();

async function main(): Promise<number> {
  const options = { port: { type: 'string' }, 'user-dir': { type: 'string' }, help: { type: 'boolean' } } as const;
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (values.help) return say(HELP);
  const port = Number(values.port ?? '1880');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    return refuse(`--port: got ${values.port}, want a number from 1 to 65535`);
  }
  if (!(await isFree(port))) return refuse(`--port: ${port} is taken, perhaps by another Node-RED; want another one`);
  const kept = values['user-dir'];
  const folder = kept === undefined ? await mkdtemp(join(tmpdir(), 'mqtile-node-red-')) : resolve(kept);
  try {
    await prepareUserFolder(folder);
    return await runNodeRed(folder, port);
  } finally {
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves with the exit code when Node-RED has ended, by itself or by a signal to us that it gets too. */
async function runNodeRed(folder: string, port: number): Promise<number> {
  const child = spawn(process.execPath, [RED, '--userDir', folder, '--port', String(port)], {
    cwd: dirname(RED),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = new Promise<number>((done) => child.once('exit', (code) => done(code ?? 0)));
  // A terminal's Ctrl-C reaches the child by itself as well; Node-RED takes the second as the first.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'));
  const url = `http://127.0.0.1:${port}/`;
  const listening = await Promise.race([answers(url), ended.then(() => false)]);
  if (listening) say(`Node-RED with MQTile's palette: ${url}\nuser folder: ${folder}\nCtrl-C closes it\n`);
  return ended;
}

/** Node-RED would say it too late: whoever has the port answers in its place. */
function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** Waits until the editor is served. */
async function answers(url: string): Promise<boolean> {
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return true;
    await pause(100, undefined, { ref: false });
  }
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

function refuse(why: string): number {
  process.stderr.write(`node-red: ${why}; see --help\n`);
  return 2;
}
