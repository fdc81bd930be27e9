/** drawPlan: the plan as a picture, one panel a stage, from the input on the left to the loss on the right. */

import type { Model } from '../model/layers.ts';
import { FLOAT_BYTES } from '../tensor/view.ts';
import { intersect, volume, type Extent } from '../tensor/box.ts';
import { MAP_SIDE, coverExtent, drawSamples, drawTiles, inputExtent, largestFace } from './draw-stage.ts';
import type { Plan, Stage } from './plan.ts';
import { INK, deviceColour, escape, label, rectangle, stripes } from './svg.ts';
import { formatBytes, longName, partitionName, shortName } from './words.ts';

const PANEL = { width: MAP_SIDE + 40, height: MAP_SIDE + 152, gap: 30 };
const MARGIN = 28;
const LEGEND_TOP = 75;
const LEGEND_LINE = 20;
const PANELS_A_ROW = 3;

/** Letters that fit into a panel's width. */
const LINE_LETTERS = 36;

/**
 * @param model says what the layers are; without it they go by number
 * @returns a whole SVG document, legible on light and dark pages
 */
export function drawPlan(plan: Plan, model?: Model): string {
  const across = Math.min(PANELS_A_ROW, plan.stages.length);
  const rows = Math.ceil(plan.stages.length / PANELS_A_ROW);
  const width = 2 * MARGIN + Math.max(2, across) * (PANEL.width + PANEL.gap) - PANEL.gap;
  const key = legend(plan, width);
  const header = LEGEND_TOP + 9 + key.lines * LEGEND_LINE;
  const height = header + rows * (PANEL.height + PANEL.gap) - PANEL.gap + MARGIN;
  const panels = plan.stages.map((stage, index) => {
    const x = MARGIN + (index % PANELS_A_ROW) * (PANEL.width + PANEL.gap);
    const y = header + Math.floor(index / PANELS_A_ROW) * (PANEL.height + PANEL.gap);
    return panel({ plan, stage, index, model }, [x, y]);
  });
  const patterns = plan.devices.map((_, rank) => stripes(rank, leanOf(plan, rank)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12.5">
<title>${escape(plan.model)} on ${plan.devices.length} devices</title>
<defs>${patterns.join('')}</defs>
${rectangle({ x: 0.5, y: 0.5, width: width - 1, height: height - 1 }, { rx: 12, fill: INK.card, stroke: INK.edge })}
${label(MARGIN, 38, `${plan.model} on ${plan.devices.length} device${plan.devices.length === 1 ? '' : 's'}`, { fill: INK.text, 'font-size': 19, 'font-weight': 600 })}
${label(MARGIN, 58, `batches of ${plan.batch}, ${plan.stages.length} stage${plan.stages.length === 1 ? '' : 's'}: inside a stage nobody talks`)}
${key.svg}
${panels.join('\n')}
</svg>
`;
}

interface Panel {
  readonly plan: Plan;
  readonly stage: Stage;
  readonly index: number;
  readonly model: Model | undefined;
}

function panel({ plan, stage, index, model }: Panel, [x, y]: readonly [x: number, y: number]): string {
  const map: readonly [number, number] = [x + 20, y + 64];
  const foot = y + 64 + MAP_SIDE + 26;
  const arrow =
    index === 0
      ? ''
      : label(x - PANEL.gap / 2, y + PANEL.height / 2, '→', {
          'text-anchor': 'middle',
          'font-size': 20,
          fill: INK.text,
        });
  return [
    rectangle({ x, y, width: PANEL.width, height: PANEL.height }, { rx: 8, fill: '#f6f8fa', stroke: INK.edge }),
    arrow,
    label(x + 20, y + 28, `Stage ${index + 1}: ${cutName(stage)}${walkName(stage)}`, {
      fill: INK.text,
      'font-size': 14,
      'font-weight': 600,
    }),
    label(x + 20, y + 47, layerNames(stage, model)),
    stage.partition === 'tiles' ? drawTiles(plan, stage, map) : drawSamples(plan, stage, map),
    ...footLines(plan, stage, index).map((line, k) => label(x + 20, foot + 19 * k, line)),
  ].join('\n');
}

/** What an image becomes, what a tile reads, what travels. */
function footLines(plan: Plan, stage: Stage, index: number): readonly string[] {
  const shapes = `${sampleShape(inputExtent(plan, stage))} → ${sampleShape(coverExtent(stage.owned))} per image`;
  const bytes = bytesReceived(plan, stage, index);
  const travels =
    index === 0 ? 'images: on every device' : `from stage ${index}: ${formatBytes(bytes)} a step each way`;
  const reads =
    stage.partition === 'tiles'
      ? `tile of ${largestFace(stage.owned)} reads ${largestFace(stage.needed)}, with halo`
      : 'whole feature maps, nothing cut';
  return [shapes, reads, travels];
}

/** Bytes of the stage's input that devices need and do not own, summed over devices; the gradients go the same way back. */
function bytesReceived(plan: Plan, stage: Stage, index: number): number {
  const owned = index === 0 ? plan.input : plan.stages[index - 1]!.owned;
  const floats = stage.needed.reduce((sum, box, rank) => sum + volume(box) - volume(intersect(box, owned[rank]!)), 0);
  return floats * FLOAT_BYTES;
}

/** Devices and what a halo is, in lines that break where the picture ends. */
function legend(plan: Plan, width: number): { readonly svg: string; readonly lines: number } {
  const entries = plan.devices.map((name, rank) => ({ name, chip: 12, fill: deviceColour(rank) }));
  if (plan.stages.some(({ partition }) => partition === 'tiles')) {
    entries.push({ name: 'halo: what a tile needs of its neighbours', chip: 22, fill: 'url(#halo-0)' });
  }
  let [x, lines] = [MARGIN, 1];
  const parts = entries.map(({ name, chip, fill }) => {
    const wide = chip + 20 + name.length * 7.2;
    if (x > MARGIN && x + wide > width - MARGIN) {
      x = MARGIN;
      lines++;
    }
    const [left, y] = [x, LEGEND_TOP + (lines - 1) * LEGEND_LINE];
    x += wide;
    return (
      rectangle({ x: left, y, width: chip, height: 12 }, { rx: 3, fill }) +
      label(left + chip + 6, y + 10.5, name, { fill: INK.text })
    );
  });
  return { svg: parts.join('\n'), lines };
}

/** Stripes of neighbours lean to different sides. */
function leanOf(plan: Plan, rank: number): number {
  const columns = plan.stages.find(({ grid }) => grid !== undefined)?.grid?.[1] ?? plan.devices.length;
  return (Math.floor(rank / columns) + (rank % columns)) % 2 === 0 ? 45 : -45;
}

function cutName({ partition, grid }: Stage): string {
  return partitionName({ partition, ...(grid ? { grid: grid.join('x') } : {}) });
}

/** How training walks the parts of devices. */
function walkName({ recompute, strips }: Stage): string {
  if (recompute !== true) return '';
  return strips === undefined ? ', recomputed' : `, in ${strips} strips`;
}

/** As much of the layers as fits into a panel. */
function layerNames({ layers: [start, end] }: Stage, model: Model | undefined): string {
  const layers = model?.layers.slice(start, end) ?? [];
  const short = layers.map(shortName);
  const long = layers.map(longName);
  const spans = [`${short[0]} to ${short.at(-1)}`, `layers ${start} to ${end - 1}`];
  const choices = layers.length === 0 ? spans.slice(1) : [long.join(', '), short.join(', '), ...spans];
  return choices.find((names) => names.length <= LINE_LETTERS) ?? spans[1]!;
}

function sampleShape([, c, h, w]: Extent): string {
  return h === 1 && w === 1 ? String(c) : `${c}x${h}x${w}`;
}
