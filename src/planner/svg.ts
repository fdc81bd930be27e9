/** The few SVG elements that a plan is drawn with. */

/** Left, top, width and height in user units. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const INK = { card: '#ffffff', edge: '#d0d7de', text: '#1f2328', faint: '#59636e' };

/** Told apart by hue and by lightness; more devices than these begin again. */
const DEVICE_COLOURS = [
  '#0b65c2',
  '#e07b00',
  '#1a8a5a',
  '#c2386f',
  '#7a4fd0',
  '#0e97a7',
  '#8f6a14',
  '#5c6470',
  '#b3261e',
  '#4d7c0f',
  '#9d4edd',
  '#00639b',
];

export function deviceColour(rank: number): string {
  return DEVICE_COLOURS[rank % DEVICE_COLOURS.length]!;
}

export function rectangle(at: Rectangle, attributes: Readonly<Record<string, string | number>>): string {
  const place = `x="${round(at.x)}" y="${round(at.y)}" width="${round(at.width)}" height="${round(at.height)}"`;
  return `<rect ${place} ${write(attributes)}/>`;
}

export function label(
  x: number,
  y: number,
  content: string,
  attributes: Readonly<Record<string, string | number>> = {},
): string {
  return `<text x="${round(x)}" y="${round(y)}" ${write({ fill: INK.faint, ...attributes })}>${escape(content)}</text>`;
}

/** A pattern of stripes in a device's colour, by its id `halo-<rank>`; neighbours' stripes lean the other way. */
export function stripes(rank: number, lean: number): string {
  const colour = deviceColour(rank);
  return (
    `<pattern id="halo-${rank}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(${lean})">` +
    `<rect width="6" height="6" fill="${colour}" fill-opacity="0.08"/><rect width="1.6" height="6" fill="${colour}"/></pattern>`
  );
}

export function escape(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

function write(attributes: Readonly<Record<string, string | number>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ');
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}
