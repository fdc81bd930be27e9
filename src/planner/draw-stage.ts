/** One stage of a plan as a picture: its input map with tiles and halos, or the batch with each device's share of samples. */

import { cut, extentOf, isEmpty, length, type Box, type Extent, type Range } from '../tensor/box.ts';
import type { Plan, Stage } from './plan.ts';
import { walkedBoxes } from './strips.ts';
import { INK, deviceColour, label, rectangle, type Rectangle } from './svg.ts';

/** Side of the square that a map is fitted into, in user units. */
export const MAP_SIDE = 232;

/** Cells are drawn one by one up to this many a side: then a halo can be counted. */
const LARGEST_COUNTABLE = 40;

/** Rows and columns of a map's face. */
type Face = readonly [y: Range, x: Range];

/** Tiles and halos of the stage's input; the map's upper left corner is at (left, top). */
export function drawTiles(plan: Plan, stage: Stage, [left, top]: readonly [left: number, top: number]): string {
  const [, , rows, columns] = inputExtent(plan, stage);
  const scale = MAP_SIDE / Math.max(rows, columns);
  const origin = { x: left + (MAP_SIDE - columns * scale) / 2, y: top + (MAP_SIDE - rows * scale) / 2 };
  const place = ([y, x]: Face): Rectangle => ({
    x: origin.x + x[0] * scale,
    y: origin.y + y[0] * scale,
    width: length(x) * scale,
    height: length(y) * scale,
  });
  const cores = coreFaces(plan, stage);
  const needed = stage.needed.map((box): Face => [box[2], box[3]]);
  const tiles = cores.map((face, rank) => rectangle(place(face), { fill: deviceColour(rank), 'fill-opacity': 0.26 }));
  const halos = needed.flatMap((face, rank) =>
    frame(face, cores[rank]!).map((strip) => rectangle(place(strip), { fill: `url(#halo-${rank})` })),
  );
  const strips = cores.flatMap((face, rank) => stripLines(place(face), stage, rank));
  const outlines = needed.map((face, rank) => outline(place(face), rank));
  const borders = cores.map((face) => rectangle(place(face), { fill: 'none', stroke: INK.card, 'stroke-width': 2 }));
  const names = cores.map((face, rank) => nameTile(place(face), plan.devices[rank]!, rank));
  return [
    ...tiles,
    ...halos,
    cells(
      place([
        [0, rows],
        [0, columns],
      ]),
      rows,
      columns,
    ),
    ...borders,
    ...strips,
    ...outlines,
    ...names,
  ].join('\n');
}

/** The batch from top to bottom, one bar per device that owns samples, labelled with its range. */
export function drawSamples(plan: Plan, stage: Stage, [left, top]: readonly [left: number, top: number]): string {
  const gap = 3;
  return stage.owned
    .flatMap((box, rank) => {
      if (isEmpty(box)) {
        return [];
      }
      const [start, end] = box[0];
      const unit = MAP_SIDE / plan.batch;
      const bar = {
        x: left,
        y: top + start * unit + gap / 2,
        width: MAP_SIDE,
        height: Math.max(1, (end - start) * unit - gap),
      };
      const colour = deviceColour(rank);
      const middle = bar.y + bar.height / 2 + 4.5;
      return [
        rectangle(bar, { rx: 4, fill: colour, 'fill-opacity': 0.26, stroke: colour, 'stroke-width': 1.2 }),
        ...(bar.height < 14
          ? []
          : [
              label(left + 12, middle, plan.devices[rank]!, { fill: INK.text, 'font-weight': 600 }),
              label(left + MAP_SIDE - 12, middle, `samples ${start} to ${end - 1}`, { 'text-anchor': 'end' }),
            ]),
      ];
    })
    .join('\n');
}

/** Extents of a stage's input, all samples and channels. */
export function inputExtent(plan: Plan, stage: Stage): Extent {
  const index = plan.stages.indexOf(stage);
  return coverExtent(index === 0 ? plan.input : plan.stages[index - 1]!.owned);
}

/** Extents of what boxes cover together. */
export function coverExtent(boxes: readonly Box[]): Extent {
  const ends = ([0, 1, 2, 3] as const).map((axis) => Math.max(...boxes.map((box) => box[axis][1])));
  return [ends[0]!, ends[1]!, ends[2]!, ends[3]!];
}

/** By rank, the tile of the input that a device owns; where the input is not cut into tiles, the one that its output tile lies over. */
function coreFaces(plan: Plan, stage: Stage): readonly Face[] {
  const index = plan.stages.indexOf(stage);
  const before = index === 0 ? undefined : plan.stages[index - 1]!;
  if (before?.partition === 'tiles') {
    return before.owned.map((box): Face => [box[2], box[3]]);
  }
  const [, , rows, columns] = inputExtent(plan, stage);
  const [gridRows, gridColumns] = stage.grid ?? [1, 1];
  return cut(rows, gridRows).flatMap((y) => cut(columns, gridColumns).map((x): Face => [y, x]));
}

/** What `outer` has beyond `inner`: strips above and below over its whole width, left and right between them. */
export function frame([y, x]: Face, [innerY, innerX]: Face): readonly Face[] {
  const middle: Range = [Math.max(y[0], innerY[0]), Math.min(y[1], innerY[1])];
  const strips: readonly Face[] = [
    [[y[0], Math.min(y[1], innerY[0])], x],
    [[Math.max(y[0], innerY[1]), y[1]], x],
    [middle, [x[0], Math.min(x[1], innerX[0])]],
    [middle, [Math.max(x[0], innerX[1]), x[1]]],
  ];
  return strips.filter((strip) => length(strip[0]) > 0 && length(strip[1]) > 0);
}

/** Each device's outline a little further in than the last, so that none hides another. */
function outline(at: Rectangle, rank: number): string {
  const inset = 1 + (rank % 4) * 0.9;
  const inner = { x: at.x + inset, y: at.y + inset, width: at.width - 2 * inset, height: at.height - 2 * inset };
  return rectangle(inner, { fill: 'none', stroke: deviceColour(rank), 'stroke-width': 1.6, 'stroke-dasharray': '5 3' });
}

/** Where a device's strips of rows meet, over the tile that its rows come from. */
function stripLines(at: Rectangle, stage: Stage, rank: number): readonly string[] {
  const owned = stage.owned[rank]!;
  const strips = walkedBoxes(stage, owned, true).filter(([n]) => n[0] === owned[0][0]);
  return strips.slice(1).map(([, , y]) => {
    const top = at.y + ((y[0] - owned[2][0]) / length(owned[2])) * at.height;
    return `<path d="M${at.x.toFixed(2)} ${top.toFixed(2)}h${at.width.toFixed(2)}" stroke="${deviceColour(rank)}" stroke-width="1.2" stroke-dasharray="2 3" fill="none"/>`;
  });
}

function cells(at: Rectangle, rows: number, columns: number): string {
  if (Math.max(rows, columns) > LARGEST_COUNTABLE) {
    return '';
  }
  const size = at.width / columns;
  const down = Array.from({ length: rows - 1 }, (_, k) => `M${at.x} ${(at.y + (k + 1) * size).toFixed(2)}h${at.width}`);
  const across = Array.from(
    { length: columns - 1 },
    (_, k) => `M${(at.x + (k + 1) * size).toFixed(2)} ${at.y}v${at.height}`,
  );
  return `<path d="${[...down, ...across].join('')}" stroke="${INK.card}" stroke-opacity="0.55" stroke-width="0.6" fill="none"/>`;
}

function nameTile(at: Rectangle, name: string, rank: number): string {
  const width = name.length * 7.4 + 12;
  if (width > at.width || at.height < 20) {
    return '';
  }
  const [x, y] = [at.x + at.width / 2, at.y + at.height / 2];
  const chip = { x: x - width / 2, y: y - 10, width, height: 20 };
  return (
    rectangle(chip, { rx: 10, fill: deviceColour(rank) }) +
    label(x, y + 4.5, name, { fill: '#ffffff', 'font-weight': 600, 'font-size': 12, 'text-anchor': 'middle' })
  );
}

/** Rows x columns of the largest box on its face, e.g. `17x17`. */
export function largestFace(boxes: readonly Box[]): string {
  const faces = boxes.map(extentOf).toSorted((a, b) => b[2] * b[3] - a[2] * a[3]);
  return `${faces[0]![2]}x${faces[0]![3]}`;
}
