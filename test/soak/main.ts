/** npm run soak: redeploys a wired flow again and again while it trains, in a Node-RED of its own, and says what stays behind. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { growthOf, redeployWhileTraining, type Holding } from '../support/redeploy.ts';

const HELP = `Usage: npm run --silent soak -- [--deploys N]

Makes N full deploys (default 50) of a flow that trains by hand, together with a daemon. Exits with 1 when the process has more threads,
sockets or memory than before, or when its weights are not those of mqtile train.
`;

/** What Node-RED itself keeps of a deploy, with room; a flow of ours has some fifteen nodes. */
const HEAP_BYTES_PER_DEPLOY = 64e3;

/** Buffers of sockets come and go. */
const EXTERNAL_BYTES = 5e6;

const MB = (bytes: number) => (bytes / 1e6).toFixed(1);

process.exitCode = await main();

async function main(): Promise<number> {
  const options = { deploys: { type: 'string', default: '50' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ options });
  const deploys = Number(values.deploys);
  if (values.help || !Number.isInteger(deploys) || deploys < 5) {
    process.stdout.write(values.help ? HELP : `soak: --deploys: got ${values.deploys}, want a whole number from 5\n`);
    return values.help ? 0 : 2;
  }
  const folder = await mkdtemp(join(tmpdir(), 'mqtile-soak-'));
  try {
    return await soak(folder, deploys);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function soak(folder: string, deploys: number): Promise<number> {
  process.stdout.write('deploys  heap MB  external MB  resident MB  threads  sockets\n');
  const outcome = await redeployWhileTraining({ folder, deploys, onHolding: show });
  const { heapBytesPerDeploy, externalBytes, threads, sockets } = growthOf(outcome.holdings);
  const faults = [
    [
      outcome.weightsChecksum !== outcome.undisturbed,
      `weights ${outcome.weightsChecksum}, want ${outcome.undisturbed}`,
    ],
    [outcome.errors.length > 0, `errors at the Catch node: ${JSON.stringify(outcome.errors)}`],
    [threads > 0, `${threads} threads more`],
    [sockets > 0, `${sockets} sockets more`],
    [externalBytes > EXTERNAL_BYTES, `${MB(externalBytes)} MB of buffers more`],
    [heapBytesPerDeploy > HEAP_BYTES_PER_DEPLOY, `${(heapBytesPerDeploy / 1e3).toFixed(0)} kB of heap more a deploy`],
  ].flatMap(([wrong, what]) => (wrong ? [`wrong: ${String(what)}`] : []));
  process.stdout.write(
    `${faults.length > 0 ? faults.join('\n') : `nothing stays behind (heap ${(heapBytesPerDeploy / 1e3).toFixed(1)} kB a deploy); weights ${outcome.undisturbed}, as undisturbed`}\n`,
  );
  return faults.length > 0 ? 1 : 0;
}

function show({ deploys, heapBytes, externalBytes, residentBytes, threads, sockets }: Holding): void {
  if (deploys % 5 > 0) return;
  const cells = [deploys, MB(heapBytes), MB(externalBytes), MB(residentBytes), threads, sockets];
  const widths = [7, 7, 11, 11, 7, 7];
  process.stdout.write(`${cells.map((cell, k) => String(cell).padStart(widths[k]!)).join('  ')}\n`);
}
