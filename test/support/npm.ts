/** npm as a person runs it. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './command.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** Runs npm in the project to its end. */
export function npm(args: readonly string[]): Promise<Outcome> {
  const child = spawn('npm', args, { cwd: PROJECT, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** A file of a tarball, and its size. */
export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

export interface Packed {
  readonly filename: string;
  /** Bytes of the tarball, and of what is in it. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly PackedFile[];
}

/** Packs what is built already. @param destination folder of the tarball; without one nothing is written */
export async function pack(destination?: string): Promise<Packed> {
  const where = destination === undefined ? ['--dry-run'] : ['--pack-destination', destination];
  const { code, stdout, stderr } = await npm(['pack', '--json', '--ignore-scripts', ...where]);
  if (code !== 0) throw new Error(`npm pack: exit code ${code}\n${stderr}`);
  const printed = JSON.parse(stdout) as Readonly<Record<string, Packed>>;
  // npm 11 prints a list, npm 12 an object by name.
  const [packed] = Object.values(printed);
  return packed!;
}
