import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startCommand, runCommand } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { freePorts } from '../support/node-red.ts';
import { npm, pack } from '../support/npm.ts';

const NODE_RED = createRequire(import.meta.url).resolve('node-red/red.js');

const { version, 'node-red': palette } = JSON.parse(
  await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
) as { readonly version: string; readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> } };

/** What npm says where there is no way to the registry. */
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED/;

/** A fresh folder in which the tarball is installed, with its scripts allowed to run; undefined where the registry is out of reach. */
async function installed(t: ExecutionContext): Promise<string | undefined> {
  const folder = await scratch(t);
  const user = join(folder, 'user');
  await mkdir(user);
  const { filename } = await pack(folder);
  const quick = ['--prefer-offline', '--fetch-retries=0', '--fetch-timeout=20000', '--no-audit', '--no-fund'];
  const { code, stderr } = await npm(['install', join(folder, filename), '--prefix', user, '--omit=dev', ...quick]);
  if (code !== 0 && OFFLINE.test(stderr)) return undefined;
  t.is(code, 0, stderr);
  return user;
}

test('installed from its tarball into a fresh user folder, every node appears in Node-RED and the command trains', async (t) => {
  const user = await installed(t);
  if (user === undefined) return t.pass(`skipped: npm's registry cannot be reached`);

  const [port] = await freePorts(1);
  const args = ['--userDir', user, '--port', String(port), '-D', 'uiHost=127.0.0.1'];
  const red = startCommand(t, args, { main: NODE_RED });
  await red.until(({ stdout }) => (/Started flows/.test(stdout) ? true : undefined), 'Started flows');
  const response = await fetch(`http://127.0.0.1:${port}/nodes`, { headers: { accept: 'application/json' } });
  const sets = (await response.json()) as readonly {
    readonly module: string;
    readonly types: readonly string[];
    readonly enabled: boolean;
    readonly err?: string;
  }[];
  const ours = sets.filter(({ module }) => module === 'mqtile');
  t.deepEqual(ours.flatMap(({ types }) => types).toSorted(), Object.keys(palette.nodes).toSorted());
  for (const { types, enabled, err } of ours) t.true(enabled && err === undefined, `${types.join()}: ${err}`);
  red.child.kill('SIGTERM');
  await red.ended;

  const main = join(user, 'node_modules', 'mqtile', 'dist', 'cli', 'main.js');
  t.is((await runCommand(t, ['--version'], { main })).stdout.trim(), version);
  const packaged = join(user, 'node_modules', 'mqtile', 'flows', 'lenet5-mnist.yaml');
  const plan = await runCommand(t, ['plan', packaged, '--json'], { main });
  t.is(plan.code, 0, plan.stderr);
  t.like(JSON.parse(plan.stdout), { event: 'plan', model: 'lenet5' });
  const job = await writeJob(user, digitsJob(await someDigits(user, 640, 64), { steps: 4, epochs: undefined }));
  const trained = await runCommand(t, ['train', job, '--local', '2', '--grid', '1x2', '--json'], { main, cwd: user });
  t.is(trained.code, 0, trained.stderr);
  t.regex(trained.stdout, /"weightsChecksum":"[\da-f]{16}"/);
});
