/** The training curve as an SVG: every step's loss as a pale line, their running mean as a strong one. */

import { linearScale, logarithmicScale, type Scale } from './scale.ts';

/** The loss of one training step. */
export interface LossPoint {
  /** Training steps done. */
  readonly step: number;
  readonly loss: number;
}

export interface CurveOptions {
  readonly title: string;
  /** Accuracy on the test set, 0 to 1. */
  readonly accuracy?: number | undefined;
}

const WIDTH = 860;
const HEIGHT = 420;
const PLOT = { left: 70, right: WIDTH - 28, top: 84, bottom: HEIGHT - 56 };

/** A card of its own colour, so that the picture reads the same on light and dark pages. */
const COLOURS = {
  card: '#ffffff',
  edge: '#d0d7de',
  grid: '#eaeef2',
  text: '#1f2328',
  faint: '#59636e',
  raw: '#a8cdf0',
  mean: '#0b65c2',
};

/** A logarithmic axis where losses spread over more than this factor. */
const LOGARITHMIC_FROM = 8;

/** More points than this are drawn as the extremes of each bucket: a page has no more columns anyway. */
const BUCKETS = 1000;

/**
 * @param history in ascending order of steps; losses that are not finite leave a gap of nothing
 * @returns a whole SVG document
 */
export function drawCurve(history: readonly LossPoint[], options: CurveOptions): string {
  const points = history.filter(({ loss }) => Number.isFinite(loss));
  const body = points.length === 0 ? text(WIDTH / 2, HEIGHT / 2, 'no step was trained', 'middle') : plot(points);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="13">
<title>${escape(options.title)}: training loss</title>
<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="10" fill="${COLOURS.card}" stroke="${COLOURS.edge}"/>
<text x="28" y="36" font-size="18" font-weight="600" fill="${COLOURS.text}">${escape(options.title)}</text>
${subtitle(points, options)}
${body}
</svg>
`;
}

/**
 * Centred running mean: each value averaged with `reach` neighbours on either side, as far as there are any.
 * @returns as many values as given
 */
export function runningMean(values: readonly number[], reach: number): readonly number[] {
  const sums = [0];
  values.forEach((value, i) => sums.push(sums[i]! + value));
  return values.map((_, i) => {
    const [start, end] = [Math.max(0, i - reach), Math.min(values.length, i + reach + 1)];
    return (sums[end]! - sums[start]!) / (end - start);
  });
}

/** `12,345`. Not by the host's Intl: its tables take 4 MB of a node's memory for the rest of its life. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

function subtitle(points: readonly LossPoint[], { accuracy }: CurveOptions): string {
  const last = points.at(-1);
  const steps = last === undefined ? '' : `${grouped(last.step)} steps`;
  const score = accuracy === undefined ? '' : `test accuracy ${(100 * accuracy).toFixed(2)} %`;
  const said = [steps, score].filter((part) => part !== '').join(' · ');
  return text(28, 58, said, 'start');
}

function plot(points: readonly LossPoint[]): string {
  const losses = points.map(({ loss }) => loss);
  const mean = runningMean(losses, Math.floor(points.length / 60));
  const x = linearScale(Math.min(0, points[0]!.step), points.at(-1)!.step, [PLOT.left, PLOT.right], 8);
  const [low, high] = extremes(losses);
  const isLogarithmic = low > 0 && high / low > LOGARITHMIC_FROM;
  const y = isLogarithmic
    ? logarithmicScale(low / 1.1, high * 1.1, [PLOT.bottom, PLOT.top])
    : linearScale(Math.min(0, low), high * 1.05, [PLOT.bottom, PLOT.top], 5);
  const at = (value: number, i: number): string => `${x.at(points[i]!.step).toFixed(1)},${y.at(value).toFixed(1)}`;
  return [
    horizontalAxis(x),
    verticalAxis(y, isLogarithmic ? 'loss (logarithmic)' : 'loss'),
    `<polyline fill="none" stroke="${COLOURS.raw}" stroke-width="1" stroke-linejoin="round" points="${thinned(losses)
      .map((i) => at(losses[i]!, i))
      .join(' ')}"/>`,
    `<polyline fill="none" stroke="${COLOURS.mean}" stroke-width="2.5" stroke-linejoin="round" stroke-linecap="round" points="${thinned(
      mean,
    )
      .map((i) => at(mean[i]!, i))
      .join(' ')}"/>`,
    `<circle r="4" fill="${COLOURS.mean}" cx="${x.at(points.at(-1)!.step).toFixed(1)}" cy="${y.at(mean.at(-1)!).toFixed(1)}"/>`,
    legend(mean.at(-1)!),
  ].join('\n');
}

function horizontalAxis(scale: Scale): string {
  const ticks = scale.ticks.map((tick) => {
    const x = scale.at(tick).toFixed(1);
    return `<path d="M${x} ${PLOT.bottom}v5" stroke="${COLOURS.faint}"/>${text(Number(x), PLOT.bottom + 20, grouped(tick), 'middle')}`;
  });
  const line = `<path d="M${PLOT.left} ${PLOT.bottom}H${PLOT.right}" stroke="${COLOURS.faint}"/>`;
  return [line, ...ticks, text((PLOT.left + PLOT.right) / 2, HEIGHT - 16, 'training step', 'middle')].join('\n');
}

function verticalAxis(scale: Scale, label: string): string {
  const middle = (PLOT.top + PLOT.bottom) / 2;
  const ticks = scale.ticks.map((tick) => {
    const y = scale.at(tick);
    return `<path d="M${PLOT.left} ${y.toFixed(1)}H${PLOT.right}" stroke="${COLOURS.grid}"/>${text(PLOT.left - 8, y + 4.5, String(tick), 'end')}`;
  });
  const name = `<text transform="translate(24 ${middle}) rotate(-90)" text-anchor="middle" fill="${COLOURS.faint}">${label}</text>`;
  return [...ticks, name].join('\n');
}

function legend(final: number): string {
  const [x, y] = [PLOT.right - 210, PLOT.top - 26];
  return [
    `<path d="M${x} ${y - 4}h22" stroke="${COLOURS.raw}" stroke-width="2"/>`,
    text(x + 28, y, 'each', 'start'),
    `<path d="M${x + 72} ${y - 4}h22" stroke="${COLOURS.mean}" stroke-width="2.5"/>`,
    text(x + 100, y, `mean, last ${final.toPrecision(2)}`, 'start'),
  ].join('\n');
}

/** Indices to draw: all, or the smallest and largest of each bucket with both ends. */
function thinned(values: readonly number[]): readonly number[] {
  if (values.length <= 2 * BUCKETS) {
    return values.map((_, i) => i);
  }
  const kept = new Set([0, values.length - 1]);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const start = Math.floor((bucket * values.length) / BUCKETS);
    const end = Math.floor(((bucket + 1) * values.length) / BUCKETS);
    let [least, most] = [start, start];
    for (let i = start; i < end; i++) {
      if (values[i]! < values[least]!) least = i;
      if (values[i]! > values[most]!) most = i;
    }
    kept.add(least).add(most);
  }
  return [...kept].toSorted((a, b) => a - b);
}

function extremes(values: readonly number[]): readonly [low: number, high: number] {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${x}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${COLOURS.faint}">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
