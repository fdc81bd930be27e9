/** Stamps: figures are worth what is known of how they came about: commit, CPU, Node and date. */

import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

export interface StampedResult {
  readonly benchmark: string;
  /** Commit of the working folder, with `+` where files differ from it; `unknown` outside a clone. */
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly date: string;
  readonly rows: readonly object[];
}

export function stamp(benchmark: string, rows: readonly object[]): StampedResult {
  return {
    benchmark,
    commit: commit(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    date: new Date().toISOString(),
    rows,
  };
}

function commit(): string {
  try {
    const git = (...args: readonly string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+';
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed}`;
  } catch {
    return 'unknown';
  }
}
