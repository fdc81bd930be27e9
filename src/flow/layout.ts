/** Layout: where the nodes of a by-hand flow stand. The step runs around a ring, forward to the right above, backward to the left below.
 *
 *   start      about
 *   pause ┐
 *   step  ├── dataset ── forward 1 ── … ── loss
 *   stop  ┘      ↑      └ end of epoch
 *            optimizer ← all-reduce ← backward 1 ← … ← backward S
 *
 * Many stages take several rows on either side; a stage's backward stands in the column of its forward.
 */

import type { Place } from './items.ts';

/** Stages in a row: as many as a laptop's window shows beside palette and sidebar. */
const STAGES_A_ROW = 4;

const LEFT = 40;
const COMMAND_X = 110;
const DATASET_X = 310;
const STAGE_X = 540;
const COLUMN = 220;

const TITLE_Y = 40;
const FIRST_Y = 140;
/** Room for a comment above each node and its status below. */
const ROW = 120;
/** Between the last row forward and the first one back: end of epoch, and the wires that turn. */
const TURN = 180;
const COMMAND_ROW = 40;
/** A comment stands this far above what it explains. */
const ABOVE = 40;

/** Places of everything that there is one of; stages by index. */
export interface Layout {
  readonly title: readonly [left: number, y: number];
  /** The k-th button. */
  command(k: number): Place;
  readonly dataset: Place;
  readonly epoch: Place;
  readonly forward: readonly Place[];
  readonly loss: Place;
  readonly figures: Place;
  readonly backward: readonly Place[];
  readonly allReduce: Place;
  readonly optimizer: Place;
  /** Left end of the row for errors, below everything. */
  readonly errors: readonly [left: number, y: number];
  /** Where the comment of a node begins. @param width of the node */
  comment(of: Place, width: number): readonly [left: number, y: number];
}

/** Pure. @param stages of the plan, at least 1 */
export function layOut(stages: number): Layout {
  const rows = Math.ceil(stages / STAGES_A_ROW);
  const row = (stage: number) => Math.floor(stage / STAGES_A_ROW);
  const x = (stage: number) => STAGE_X + COLUMN * (stage % STAGES_A_ROW);
  const forward = Array.from({ length: stages }, (_, stage) => ({ x: x(stage), y: forwardY(row(stage)) }));
  const backTop = forwardY(rows - 1) + TURN;
  const backward = forward.map((place, stage) => ({ x: place.x, y: backTop + ROW * (rows - 1 - row(stage)) }));
  const last = forward.at(-1)!;
  const loss = { x: last.x + COLUMN, y: last.y };
  const foot = backTop + ROW * (rows - 1);
  return {
    title: [LEFT, TITLE_Y],
    command: (k) => ({ x: COMMAND_X, y: FIRST_Y + COMMAND_ROW * (k - 1) }),
    dataset: { x: DATASET_X, y: FIRST_Y },
    epoch: { x: STAGE_X, y: FIRST_Y + 60 },
    forward,
    loss,
    figures: { x: loss.x + COLUMN, y: loss.y },
    backward,
    allReduce: { x: DATASET_X, y: foot },
    optimizer: { x: COMMAND_X, y: foot },
    errors: [LEFT, foot + ROW],
    comment: ({ x, y }, width) => [x - width / 2, y - ABOVE],
  };
}

/** The first row has room for the end of the epoch below it. */
function forwardY(row: number): number {
  return FIRST_Y + ROW * row + (row > 0 ? 60 : 0);
}
