/** Rates are measured once and kept in the user's cache: for this kind of processor, Node version and build of the kernels. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus, homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

import { buildHash } from '../kernels/loader.ts';
import { wantsRevectorization } from '../kernels/revectorize.ts';
import { parseKernelRates, type KernelRates } from '../tensor/rates.ts';
import { measureRates } from './rates.ts';

/** Entries that are kept: a new build of the kernels, or another Node version, leaves one that nobody may ask for again. */
const MOST_ENTRIES = 16;

export interface RatesOptions {
  /** Whether the engine that the rates are for tries revectorization; by default on x64, unless MQTILE_REVECTORIZE is 0. */
  readonly revectorize?: boolean;
  /** Where they are kept; by default `mqtile/kernels.json` in XDG_CACHE_HOME or ~/.cache. */
  readonly file?: string;
  /** Measures where the file knows none. */
  readonly measure?: (revectorize: boolean) => Promise<KernelRates>;
}

/**
 * The rates of this machine: those of the file, or measured now and written there. A file that cannot be read, or written, is as good as none.
 * @throws {KernelError} when the kernels were not built
 */
export async function kernelRates(options: RatesOptions = {}): Promise<KernelRates> {
  const { revectorize = wantsRevectorization(), file = defaultFile(), measure = measureRates } = options;
  const key = await keyOf(revectorize);
  const known = await readEntries(file);
  const kept = parseKernelRates(known[key]);
  if (kept) return kept;
  const rates = await measure(revectorize);
  if (file !== undefined) await writeEntries(file, latest({ ...known, [key]: rates })).catch(() => {});
  return rates;
}

/** Undefined for a user who has no home: then nothing is kept. */
function defaultFile(): string | undefined {
  const given = process.env['XDG_CACHE_HOME'];
  // Relative paths in it are to be ignored, says the XDG Base Directory Specification.
  if (given !== undefined && isAbsolute(given)) return join(given, 'mqtile', 'kernels.json');
  try {
    return join(homedir(), '.cache', 'mqtile', 'kernels.json');
  } catch {
    return undefined;
  }
}

/** Everything that rates depend on. */
async function keyOf(revectorize: boolean): Promise<string> {
  const processor = cpus()[0]?.model ?? 'unknown';
  return [process.arch, processor, process.version, await buildHash('fast'), revectorize ? 'wide' : 'plain'].join(
    ' | ',
  );
}

async function readEntries(file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (file === undefined) return {};
  try {
    const entries: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof entries === 'object' && entries !== null && !Array.isArray(entries) ? { ...entries } : {};
  } catch {
    return {};
  }
}

/** The entries that were added last. */
function latest(entries: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(entries).slice(-MOST_ENTRIES));
}

/** Whole or not at all: others may read at any moment. */
async function writeEntries(file: string, entries: object): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(temporary, `${JSON.stringify(entries, undefined, 2)}\n`);
  await rename(temporary, file);
}
