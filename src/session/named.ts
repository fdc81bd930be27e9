/** named: an input error of work that is under way, with the file and key that a person would look at in front. */

import { naming } from '../job/schema.ts';

/** @param where the file, and the key if the message does not name it, e.g. `job.yaml: init` */
export async function named<Result>(where: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    return naming(where, () => {
      throw error;
    });
  }
}
