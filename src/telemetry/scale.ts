/** Scales of a chart's axes: where a value lies, and which values are worth a tick. */

/** Maps values to positions; `ticks` are round values inside its range. */
export interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Positions that the two ends of a scale's range get, in user units of the picture. */
export type Span = readonly [start: number, end: number];

/** A linear scale over [low, high], widened where both are equal. @param wanted about how many ticks */
export function linearScale(low: number, high: number, span: Span, wanted: number): Scale {
  const [from, to] = high > low ? [low, high] : [low, low + 1];
  const step = roundUp((to - from) / wanted);
  const first = Math.ceil(from / step);
  const count = Math.max(0, Math.floor(to / step + 1e-9) - first + 1);
  return {
    // Divided rather than multiplied where the step is a fraction, so that 3 · 0.1 reads 0.3.
    ticks: Array.from({ length: count }, (_, k) =>
      step < 1 ? (first + k) / Math.round(1 / step) : (first + k) * step,
    ),
    at: (value) => span[0] + ((value - from) / (to - from)) * (span[1] - span[0]),
  };
}

/** A logarithmic scale over [low, high], both above 0, with ticks at 1, 2 and 5 times powers of ten. */
export function logarithmicScale(low: number, high: number, span: Span): Scale {
  const linear = linearScale(Math.log10(low), Math.log10(high), span, 1);
  const decades = Array.from(
    { length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, k) => Math.floor(Math.log10(low)) + k,
  );
  const ticks = decades
    .flatMap((decade) => [1, 2, 5].map((digit) => Number(`${digit}e${decade}`)))
    .filter((tick) => tick >= low && tick <= high);
  return { ticks, at: (value) => linear.at(Math.log10(value)) };
}

/** The next of 1, 2, 5 times a power of ten; for a step between ticks below 1 its inverse is whole. */
function roundUp(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const digit = [1, 2, 5, 10].find((candidate) => candidate * power >= step * (1 - 1e-9)) ?? 10;
  return digit * power;
}
