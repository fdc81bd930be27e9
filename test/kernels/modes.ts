/** The ways in which kernels are built and compiled, for tests that hold in each of them. */

import test, { type ExecutionContext } from 'ava';
import type { Engine } from '../../src/kernels/engine.ts';
import { createModeEngine } from './mode-engine.ts';
import { ANYTHING } from './sandbox.ts';

/** Each mode with and without revectorization, which is not everywhere: then it is the same as without. */
export const engines = {
  strict: await createModeEngine({ mode: 'strict' }, { revectorize: false }),
  fast: await createModeEngine({ mode: 'fast' }, { revectorize: false }),
  'strict, revectorized': await createModeEngine({ mode: 'strict' }, { revectorize: true }),
  'fast, revectorized': await createModeEngine({ mode: 'fast' }, { revectorize: true }),
} as const;
const MODES = Object.keys(engines) as (keyof typeof engines)[];
test.after.always(() => Promise.all(MODES.map((mode) => engines[mode].close())));

/** A test of each mode, with its engine, and how near its packed weights are to those of the reference: each mode has an order of its own. */
export function testModes(
  title: string,
  check: (t: ExecutionContext, engine: Engine, packing: typeof ANYTHING | undefined) => Promise<void>,
): void {
  for (const mode of MODES) {
    test(`${mode}: ${title}`, (t) => check(t, engines[mode], mode.startsWith('strict') ? undefined : ANYTHING));
  }
}
