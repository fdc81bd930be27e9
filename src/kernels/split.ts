/**
 * Splitting: a kernel call as several calls of the same kind, each for a part of the output, that may run side by side. No sum is cut, so
 * every output has the bits that the whole call gives it, however many parts there are.
 */

import { convolveWeightsScratch, type KernelCall } from '../tensor/call.ts';
import { winogradWeightsLayout } from '../tensor/winograd-weights.ts';
import { winogradLayout } from '../tensor/winograd.ts';
import type { Cut } from './cut.ts';
import { cutsOf } from './cuts.ts';

/** Cuts whose largest parts differ by less than about this share of the whole are equally even. */
const EVEN = 0.02;

/** Parts of scratch begin at cache lines. */
const LINE_BYTES = 64;

/**
 * Cuts a call into at most `parts`, as evenly as it can be. Parts write disjoint bytes, and read nothing that another one writes.
 * @param spare where parts after the first one have their scratch: {@link spareScratchBytes} bytes, 64-byte aligned
 * @returns the call itself where it cannot be cut
 */
export function splitCall(call: KernelCall, parts: number, spare = 0): readonly KernelCall[] {
  const cuts = parts > 1 ? cutsOf(call) : [];
  const [best] = cuts.map((cut) => ({ cut, ranges: rangesOf(cut, parts) })).toSorted(byEvenness);
  if (best === undefined || best.ranges.length < 2) return [call];
  return best.ranges.map(([start, end], index) => {
    const part = best.cut.part(start, end);
    if (index === 0 || !('scratch' in part)) return part;
    return { ...part, scratch: spare + (index - 1) * scratchBytes(call) };
  });
}

/** Bytes of scratch that the parts of a call need besides the call's own. */
export function spareScratchBytes(call: KernelCall, parts: number): number {
  return (parts - 1) * scratchBytes(call);
}

/** Bytes of working memory of a call, 0 for most kinds, in whole lines. */
function scratchBytes(call: KernelCall): number {
  return Math.ceil(scratchOf(call) / LINE_BYTES) * LINE_BYTES;
}

function scratchOf(call: KernelCall): number {
  if (call.kind === 'convolveWeights') return convolveWeightsScratch(call.source.extent[1], call.taps.length);
  if (call.kind === 'convolveWinogradWeights') return winogradWeightsLayout(call.source.extent[1], call.gradient).bytes;
  return call.kind === 'convolveWinograd' ? winogradLayout(call.source.extent[1], call.target).bytes : 0;
}

interface Candidate {
  readonly cut: Cut;
  readonly ranges: readonly (readonly [start: number, end: number])[];
}

function rangesOf({ length, unit }: Cut, parts: number): Candidate['ranges'] {
  const blocks = Math.ceil(length / unit);
  const count = Math.min(parts, blocks);
  const edge = (index: number): number => Math.min(length, Math.floor((index * blocks) / count) * unit);
  return Array.from({ length: count }, (_, index) => [edge(index), edge(index + 1)] as const);
}

/** The more even one first; of equally even ones that of which parts read less in common; else the outer axis. */
function byEvenness(a: Candidate, b: Candidate): number {
  return unevenness(a) - unevenness(b) || a.cut.sharedBytes - b.cut.sharedBytes;
}

/** The largest part's share of the whole, in steps of {@link EVEN}. */
function unevenness({ cut, ranges }: Candidate): number {
  return Math.round(Math.max(...ranges.map(([start, end]) => end - start)) / cut.length / EVEN);
}
