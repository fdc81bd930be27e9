/** Partitions: how the output of a stage is cut into disjoint boxes, one a device. */

import { InputError } from '../errors.ts';
import type { Shape } from '../model/shapes.ts';
import type { Box } from '../tensor/box.ts';
import { EMPTY_BOX, cut } from '../tensor/box.ts';
import type { Grid, Partition } from './plan.ts';

export interface CutRequest {
  readonly partition: Partition;
  readonly grid?: Grid | undefined;
  /** Shape of one sample of the stage's output. */
  readonly shape: Shape;
  readonly batch: number;
  readonly devices: number;
  /** How messages name the stage, e.g. `plan.stages[1]`. */
  readonly where: string;
}

/**
 * Owned boxes by rank. Tiles go to ranks row by row.
 * @throws {InputError} `gridMismatch` when tiles and devices differ in number, `gridTooFine` when a tile would be empty
 */
export function ownedBoxes(request: CutRequest): readonly Box[] {
  const { shape, batch, devices } = request;
  const whole: Box = [
    [0, batch],
    [0, shape[0]],
    [0, shape[1]],
    [0, shape[2]],
  ];
  switch (request.partition) {
    case 'tiles':
      return tiles(request, whole);
    case 'samples':
      return cut(batch, devices).map((n): Box => (n[0] === n[1] ? EMPTY_BOX : [n, whole[1], whole[2], whole[3]]));
    case 'single':
      return Array.from({ length: devices }, (_, rank) => (rank === 0 ? whole : EMPTY_BOX));
  }
}

function tiles({ grid, shape, devices, where }: CutRequest, whole: Box): readonly Box[] {
  if (!grid) throw new InputError('gridMismatch', `${where}: partition tiles wants a grid, e.g. grid: 2x2`);
  const [rows, columns] = grid;
  const name = `${rows}x${columns}`;
  if (rows * columns !== devices) {
    throw new InputError(
      'gridMismatch',
      `${where}: grid ${name} has ${rows * columns} tiles, got ${devices} device${devices === 1 ? '' : 's'}; want one tile a device`,
    );
  }
  if (rows > shape[1] || columns > shape[2]) {
    throw new InputError(
      'gridTooFine',
      `${where}: grid ${name} is finer than the feature map of ${shape[1]}x${shape[2]} that it cuts; use fewer rows and columns, or end the stage before a pooling`,
    );
  }
  return cut(shape[1], rows).flatMap((y) => cut(shape[2], columns).map((x): Box => [whole[0], whole[1], y, x]));
}
