/** Random lists of kernel calls that depend on each other: calls of every kind, and moves between a few views. */

import fc from 'fast-check';

import { spareScratchBytes } from '../../src/kernels/split.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { CALLS, shapes, type Shape } from './random-calls.ts';
import type { Sandbox } from './sandbox.ts';

/** A program and the scratch that nobody reads. */
interface Program {
  readonly calls: readonly KernelCall[];
  readonly scratch: readonly { readonly start: number; readonly bytes: number }[];
}

interface Recipe {
  readonly shapes: readonly Shape[];
  readonly kinds: readonly string[];
  /** Which call comes next; beyond those of `kinds`, a move between views. */
  readonly order: readonly number[];
}

const POOL = 3;

export const recipes: fc.Arbitrary<Recipe> = fc.record({
  shapes: fc.array(shapes, { minLength: 4, maxLength: 4 }),
  kinds: fc.array(fc.constantFrom(...Object.keys(CALLS)), { minLength: 4, maxLength: 4 }),
  order: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 20 }),
});

/** Lays out a program over a sandbox. */
export function programOf(sandbox: Sandbox, { shapes: ofCalls, kinds, order }: Recipe): Program {
  const made = kinds.map((kind, i) => CALLS[kind as KernelCall['kind']]!(sandbox, ofCalls[i]!));
  const { extent } = ofCalls[0]!;
  const pool = Array.from({ length: POOL }, (_, i) => sandbox.view(extent, ofCalls[i]!.storage));
  const calls = order.map((choice): KernelCall => {
    if (choice < made.length) return made[choice]!;
    const [source, target] = [pool[choice % POOL]!, pool[(choice + 1 + (choice % 2)) % POOL]!];
    const kind = choice % 3;
    if (kind === 0) return { kind: 'add', source, target };
    return kind === 1 ? { kind: 'copy', source, target } : { kind: 'sumPlanes', source, target: target.offset };
  });
  const scratch = calls.flatMap((call) => {
    return 'scratch' in call ? [{ start: call.scratch, bytes: spareScratchBytes(call, 2) }] : [];
  });
  return { calls, scratch };
}
