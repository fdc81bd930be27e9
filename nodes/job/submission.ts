/** From the fields of an mqtile-job to a job that can be handed in. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InputError, parseGrid, type Submission } from 'mqtile';

/** Fields of the edit dialog; the numbers are text, empty for what the job file says. */
export interface JobFields {
  readonly path: string;
  readonly grid: string;
  readonly steps: string;
}

/**
 * Reads the job file. A relative path starts from Node-RED's user folder.
 * @throws {InputError} `jobMissing`, `keyInvalid` and those of `parseGrid`
 */
export async function submissionOf(
  { path, grid, steps }: JobFields,
  userDirectory: string | undefined,
  choice: Pick<Submission, 'resume' | 'writers'>,
): Promise<Submission> {
  if (path.trim() === '') throw new InputError('jobMissing', 'job: is empty, want the path of a job file');
  const file = resolve(userDirectory ?? process.cwd(), path);
  return {
    text: await readJob(file),
    directory: dirname(file),
    source: path,
    ...(grid === '' ? {} : { grid: [...parseGrid(grid, 'grid')] as [number, number] }),
    ...(steps === '' ? {} : { steps: stepsOf(steps) }),
    ...choice,
  };
}

function stepsOf(text: string): number {
  const steps = Number(text);
  if (Number.isInteger(steps) && steps > 0) return steps;
  throw new InputError('keyInvalid', `steps: got ${text}, want a whole number from 1`);
}

async function readJob(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new InputError('jobMissing', `${file}: ${gone ? 'does not exist' : 'cannot be read'}; want a job file`, {
      cause,
    });
  }
}
