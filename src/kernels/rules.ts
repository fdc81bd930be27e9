/** Rules: what kinds of kernel calls have in common in what they touch and demand. */

import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { viewSpan, type Span } from './span.ts';

/** A condition of a call, and what to say when it does not hold. */
export type Rule = readonly [holds: boolean, text: string];

export interface Needs {
  readonly spans: readonly Span[];
  readonly rules?: readonly Rule[];
}

/** Two views of equal extents. */
export function pairNeeds(views: Readonly<Record<string, View>>, rules: readonly Rule[] = []): Needs {
  const [a, b] = Object.values(views);
  return {
    spans: Object.entries(views).map(([name, view]) => viewSpan(name, view)),
    rules: [sameExtent(a!, b!), ...rules],
  };
}

export function sameExtent(a: View, b: View): Rule {
  const same = a.extent.every((extent, axis) => extent === b.extent[axis]);
  return [same, `extents differ: ${a.extent.join('x')} and ${b.extent.join('x')}`];
}

/** Kernels that load whole vectors want pixels side by side. */
export function pixelsTouch(name: string, { extent, strides }: View): Rule {
  return [
    extent[3] <= 1 || strides[3] === FLOAT_BYTES,
    `${name} has a pixel stride of ${strides[3]}, wanted ${FLOAT_BYTES}`,
  ];
}
