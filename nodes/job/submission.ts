/** From the fields of an mqtile-job to a job that can be handed in. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InputError, jobOf, parseGrid, type Submission } from 'mqtile';
import { LABELS, type FileFields, type JobFields, type OwnFields } from './fields.ts';
import { jobText, namingFields } from './job-text.ts';

type Choice = Pick<Submission, 'resume' | 'writers'>;

/**
 * Reads the job file, or makes the text of one from the fields. Relative paths start from Node-RED's user folder; those in a job file from that file.
 * @throws {InputError} `jobMissing`, `keyInvalid` and those of `parseGrid`; for fields also those of `parseJob`
 */
export async function submissionOf(
  fields: JobFields,
  userDirectory = process.cwd(),
  choice: Choice,
): Promise<Submission> {
  return fields.source === 'file' ? fromFile(fields, userDirectory, choice) : fromFields(fields, userDirectory, choice);
}

async function fromFile({ path, grid, steps }: FileFields, userDirectory: string, choice: Choice): Promise<Submission> {
  if (path === '') throw new InputError('jobMissing', 'job: is empty, want the path of a job file');
  const file = resolve(userDirectory, path);
  return {
    text: await readJob(file),
    directory: dirname(file),
    source: path,
    ...(grid === '' ? {} : { grid: [...parseGrid(grid, 'grid')] as [number, number] }),
    ...(steps === '' ? {} : { steps: stepsOf(steps) }),
    ...choice,
  };
}

function fromFields(fields: OwnFields, directory: string, choice: Choice): Submission {
  refuseEmpty(fields, 'jobName', 'small letters, digits or hyphens');
  refuseEmpty(fields, 'grid', 'rows x columns, e.g. 1x1 for one node');
  const submission = { text: jobText(fields), directory, source: fields.jobName, ...choice };
  namingFields(fields.jobName, () => jobOf(submission));
  return submission;
}

function refuseEmpty(fields: OwnFields, field: 'jobName' | 'grid', want: string): void {
  if (fields[field] === '') throw new InputError('keyInvalid', `${LABELS[field]}: is empty, want ${want}`);
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
