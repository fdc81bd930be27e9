/** What the system knows about a process, from outside. */

import { readFile } from 'node:fs/promises';

/** Whether a process runs; a zombie does not. */
export async function isRunning(pid: number): Promise<boolean> {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (state === undefined) return false;
  const [letter] = state.slice(state.lastIndexOf(')') + 2);
  return letter !== 'Z' && letter !== 'X';
}

/** Resident memory of a process in bytes, now (`VmRSS`) or at its peak (`VmHWM`). */
export async function residentBytes(pid: number, which: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(new RegExp(`^${which}:\\s+(\\d+) kB`, 'm').exec(status)![1]);
}

/** Waits until something holds. @returns the milliseconds that it took */
export async function until(holds: () => boolean | Promise<boolean>, what: string, limitMs = 20_000): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > limitMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await pause(20);
  }
  return performance.now() - began;
}

/** Waits some milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Ends processes that may be left, whatever state they are in. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone, as it should be.
    }
  }
}
