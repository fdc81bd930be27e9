/** Layout: where the nodes of a by-hand flow stand. The step is read like a text, forward above, backward below, and begins again.
 *
 *   start  ┐
 *   pause  ├─ dataset ── forward 1 ── forward 2 ── … ── loss
 *   resume ┤     └ end of epoch
 *   step   │
 *   stop   ┘  backward S ── … ── backward 1 ── all-reduce
 *
 *   optimizer
 *         └ loss of the step
 *
 * Editors draw wires from right to left as loops, so only the ends of rows have some. Many stages take several rows on either side.
 */

import type { Place } from './items.ts';

/** Nodes in a row: as many as a laptop's window shows beside palette and sidebar. */
const NODES_A_ROW = 5;

const LEFT = 40;
const COMMAND_X = 110;
const CHAIN_X = 330;
/** Wide enough for a status of one node beside the next one. */
const COLUMN = 240;

const TITLE_Y = 40;
const FIRST_Y = 140;
/** Room for a comment above each node, its status and perhaps a debug node below. */
const ROW = 160;
const COMMAND_ROW = 40;
/** A comment stands this far above what it explains. */
const ABOVE = 40;
/** A debug node hangs this far from the node that it shows. */
const HANGS = { x: 190, y: 60 };

/** Places of everything that there is one of; stages by index. */
export interface Layout {
  readonly title: readonly [left: number, y: number];
  /** The k-th button. */
  command(k: number): Place;
  readonly dataset: Place;
  readonly forward: readonly Place[];
  readonly loss: Place;
  readonly backward: readonly Place[];
  readonly allReduce: Place;
  readonly optimizer: Place;
  /** Left end of the row for errors, below everything. */
  readonly errors: readonly [left: number, y: number];
}

/** Pure. @param stages of the plan, at least 1 */
export function layOut(stages: number): Layout {
  const [dataset, ...forward] = chain(stages + 2, FIRST_Y);
  const loss = forward.pop()!;
  const backward = chain(stages + 1, loss.y + ROW + ABOVE);
  const allReduce = backward.pop()!;
  const optimizer = { x: COMMAND_X + 10, y: allReduce.y + ROW - ABOVE };
  return {
    title: [LEFT, TITLE_Y],
    command: (k) => ({ x: COMMAND_X, y: FIRST_Y + COMMAND_ROW * (k - 1) }),
    dataset: dataset!,
    forward,
    loss,
    backward: backward.toReversed(),
    allReduce,
    optimizer,
    errors: [LEFT, optimizer.y + ROW],
  };
}

/** Places in reading order. */
function chain(count: number, top: number): Place[] {
  return Array.from({ length: count }, (_, k) => ({
    x: CHAIN_X + COLUMN * (k % NODES_A_ROW),
    y: top + ROW * Math.floor(k / NODES_A_ROW),
  }));
}

/** Where the comment of a node begins. @param width of the node */
export function commentAt({ x, y }: Place, width: number): readonly [left: number, y: number] {
  return [x - width / 2, y - ABOVE];
}

/** Where a debug node shows what a node sends, out of the way of its other wires. */
export function hangingFrom({ x, y }: Place): Place {
  return { x: x + HANGS.x, y: y + HANGS.y };
}
