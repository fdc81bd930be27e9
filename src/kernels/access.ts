/** Access: which bytes a kernel call reads and which it writes, and so whether two calls may run at the same time. */

import type { KernelCall } from '../tensor/call.ts';
import { NEEDS } from './needs.ts';
import { applyTo } from './per-call.ts';
import type { Span } from './span.ts';

/** The spans that a call writes, by the names they have in needs.ts; of a kind that is not listed, all. */
const WRITTEN: { readonly [Kind in KernelCall['kind']]?: readonly string[] } = {
  copy: ['target'],
  add: ['target'],
  pack: ['message'],
  pixels: ['target'],
  packWeights: ['packed'],
  convolve: ['target'],
  convolveWeights: ['target', 'scratch'],
  convolveDepthwise: ['target'],
  convolveDepthwiseWeights: ['target'],
  transformWeights: ['packed'],
  convolveWinograd: ['target', 'scratch'],
  convolveWinogradWeights: ['target', 'scratch'],
  sumPlanes: ['target'],
  activationBackward: ['gradient'],
  maxPool: ['target'],
  maxPoolBackward: ['source gradient', 'sums'],
  dense: ['outputs'],
  denseInput: ['inputs'],
  denseWeights: ['matrix'],
  softmaxCrossEntropy: ['gradient', 'metrics'],
  meanSquares: ['gradient', 'metrics'],
  sgd: ['weights', 'momentum'],
  checksum: ['target'],
};

/** What one or more calls touch. */
export interface Access {
  readonly reads: readonly Span[];
  readonly writes: readonly Span[];
}

/** What a call touches; stretches from the first to the last byte, gaps included. */
export function accessOf(call: KernelCall): Access {
  const spans = applyTo(NEEDS, call).spans.filter(({ start, end }) => start < end);
  const written = WRITTEN[call.kind];
  const writes = spans.filter(({ name }) => written?.includes(name) ?? true);
  return { reads: spans.filter((span) => !writes.includes(span)), writes };
}

/** Whether one of them writes what the other touches. */
export function conflict(a: Access, b: Access): boolean {
  return meet(a.writes, b.writes) || meet(a.writes, b.reads) || meet(a.reads, b.writes);
}

function meet(a: readonly Span[], b: readonly Span[]): boolean {
  return a.some((one) => b.some((other) => one.start < other.end && other.start < one.end));
}
