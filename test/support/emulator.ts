/** Node.js as a 64-bit ARM computer runs it, by emulation: what test/support/arm64/set-up.sh put into a folder. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const FOLDER = join(tmpdir(), `mqtile-arm64-${process.versions.node}-${process.getuid?.() ?? ''}`);

/** Why there is no emulator, or undefined where there is one. */
export function whyNoEmulator(): string | undefined {
  const setUp = `test/support/arm64/set-up.sh ${process.versions.node}`;
  return existsSync(FOLDER) ? undefined : `no emulator in ${FOLDER}; Debian on x64 gets one by ${setUp}`;
}

/** Runs a script to its end with the emulated CPU. @throws when it fails, with what it printed */
export async function runEmulated(script: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, QEMU_LD_PREFIX: FOLDER };
  await run(join(FOLDER, 'qemu'), [join(FOLDER, 'node'), script, ...args], { env });
}
