/** The plan of a job file: a grid, or every stage by hand. Whether it fits the model and the devices is for `makePlan` to say. */

import * as v from 'valibot';
import { InputError } from '../errors.ts';
import type { Grid, Partition, PlanRequest } from '../planner/plan.ts';
import type { Range } from '../tensor/box.ts';
import { choose, list, object, refuse, stillToCome, text, whole, type Schema } from './schema.ts';

const GRID = /^[1-9]\d{0,2}x[1-9]\d{0,2}$/;
const GRID_WANT = 'rows x columns, e.g. 2x2';
const STRIPS = 1000;
const PLAN_WANT = '{grid: 2x2} or {stages: [{layers: [0, 4], partition: tiles, grid: 2x2}, …]}';

const grid: Schema<Grid> = v.pipe(text(GRID_WANT, GRID), v.transform(toGrid));

const layers: Schema<Range> = v.pipe(
  list(whole(0, 10_000), 'the first layer and the one after the last, e.g. [0, 4]', { length: 2 }),
  v.transform((range): Range => [range[0]!, range[1]!]),
);

const PARTITIONS: readonly Partition[] = ['tiles', 'samples', 'single'];

const partition: Schema<Partition> = choose(PARTITIONS.join(', '), (input) =>
  input === 'channels' ? stillToCome(PARTITIONS.join(', ')) : v.picklist(PARTITIONS, PARTITIONS.join(' or ')),
);

/** How a device walks its part of a stage. */
const walk = { recompute: v.optional(v.boolean('true or false')), strips: v.optional(whole(1, STRIPS)) };

const stage = v.pipe(
  object({ layers, partition, grid: v.optional(grid), ...walk }),
  v.forward(
    v.check(
      (given) => (given.partition === 'tiles') === (given.grid !== undefined),
      'rows x columns, e.g. 2x2, with partition: tiles and only there',
    ),
    ['grid'],
  ),
);

/** The whole `plan` key. */
export const planSchema: Schema<PlanRequest> = choose<PlanRequest>(PLAN_WANT, (input) => {
  if (input === 'auto') {
    return stillToCome(PLAN_WANT);
  }
  if (typeof input !== 'object' || input === null) {
    return refuse(PLAN_WANT);
  }
  return 'grid' in input ? object({ grid, ...walk }) : object({ stages: list(stage, 'a list of stages', { min: 1 }) });
});

/**
 * A grid as the command line takes it, `2x3`.
 * @param where names it in the message, e.g. `--grid`
 * @throws {InputError} `keyInvalid`
 */
export function parseGrid(given: string, where: string): Grid {
  if (!GRID.test(given)) {
    throw new InputError('keyInvalid', `${where}: got ${JSON.stringify(given)}, want ${GRID_WANT}`);
  }
  return toGrid(given);
}

function toGrid(given: string): Grid {
  const [rows = 1, columns = 1] = given.split('x').map(Number);
  return [rows, columns];
}
