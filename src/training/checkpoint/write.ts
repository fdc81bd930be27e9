/**
 * Writing checkpoints so that a reader finds all of one or nothing, whenever the power goes: temporary names, fsync, rename; the manifest
 * last. A checkpoint that is replaced loses its manifest before its tensors change.
 */

import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RunError } from '../../errors.ts';
import { bytesHash, modelHash, weightsChecksum } from './hash.ts';
import {
  MANIFEST_FORMAT,
  MANIFEST_VERSION,
  checkpointName,
  stepOfManifest,
  type CheckpointContent,
  type Manifest,
} from './manifest.ts';
import { encodeSafetensors } from './safetensors.ts';

/**
 * Writes `step-000200.safetensors` and `step-000200.json`; creates the directory.
 * @returns path of the safetensors file
 * @throws {RunError} `checkpointWrite` when the disk is full or refuses
 */
export async function writeCheckpoint(directory: string, content: CheckpointContent): Promise<string> {
  const file = join(directory, `${checkpointName(content.step)}.safetensors`);
  try {
    await mkdir(directory, { recursive: true });
    await removeLeftovers(directory);
    await writeFiles(file, content);
  } catch (cause) {
    throw new RunError(
      'checkpointWrite',
      `${file}: cannot be written (${String(cause)}); make room or choose another checkpoint.directory`,
      {
        cause,
      },
    );
  }
  return file;
}

/** Removes every checkpoint of a directory, manifests first, so that a new run there cannot be mistaken for the old one. */
export async function removeCheckpoints(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const manifests = names.filter((name) => stepOfManifest(name) !== undefined);
  for (const name of manifests) {
    await rm(join(directory, name), { force: true });
  }
  for (const name of manifests) {
    await rm(join(directory, name.replace(/json$/, 'safetensors')), { force: true });
  }
}

async function writeFiles(file: string, content: CheckpointContent): Promise<void> {
  const { step, epoch, model, job, planHash, kernels, tensors } = content;
  const pieces = encodeSafetensors({ tensors, metadata: { format: 'pt', step: String(step) } });
  const manifestFile = file.replace(/safetensors$/, 'json');
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    version: MANIFEST_VERSION,
    step,
    epoch,
    model,
    modelHash: modelHash(model),
    job,
    planHash,
    kernels,
    weightsChecksum: weightsChecksum(tensors),
    tensors: {
      file: `${checkpointName(step)}.safetensors`,
      bytes: pieces.reduce((sum, { length }) => sum + length, 0),
      sha256: bytesHash(pieces),
    },
  };
  const temporaryTensors = await writeTemporary(file, pieces);
  const temporaryManifest = await writeTemporary(manifestFile, [
    new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`),
  ]);
  await rm(manifestFile, { force: true });
  await syncDirectory(file);
  await rename(temporaryTensors, file);
  await syncDirectory(file);
  await rename(temporaryManifest, manifestFile);
  await syncDirectory(file);
}

/** Writes beside `file`, to the disk itself. @returns the temporary name, which carries our process id */
async function writeTemporary(file: string, pieces: readonly Uint8Array[]): Promise<string> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w');
  try {
    for (const piece of pieces) {
      await handle.writeFile(piece);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}

/** A rename is on the disk once its directory is. */
async function syncDirectory(file: string): Promise<void> {
  const handle = await open(dirname(file), 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Temporary files of processes that are gone. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const writer = /^step-\d+\.(?:safetensors|json)\.(\d+)\.tmp$/.exec(name)?.[1];
    if (writer !== undefined && !isRunning(Number(writer))) {
      await rm(join(directory, name), { force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
