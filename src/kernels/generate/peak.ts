/** Prints what the processor can do at best with f32x4 multiplications and additions, as the kernels spell them: their measure. */

import { lines, range } from './text.ts';

export const PEAK_IMPORTS = `import { multiplyAdd } from '../multiply-add';
`;

/** Chains that do not wait for each other: as many as sixteen registers hold beside factor, addend and product. */
const CHAINS = 13;

/** The same in registers of two vectors, each chain of two. */
const WIDE_CHAINS = 24;

/** Prints `multiplyAddFlops`: floating-point operations of one iteration of a peak. */
export function peakFlops(): string {
  return lines([
    'export function multiplyAddFlops(wide: bool): i32 {',
    `  return wide ? ${WIDE_CHAINS * 8} : ${CHAINS * 8};`,
    '}',
  ]);
}

/** Prints `multiplyAddPeak`: multiply-adds in registers only. Chains come from memory and return there, side by side, so that none is left out. */
export function peak(wide: boolean): string {
  const chains = range(wide ? WIDE_CHAINS : CHAINS);
  return lines([
    `export function multiplyAddPeak${wide ? 'Wide' : ''}(at: usize, iterations: i32, factor: f32, addend: f32): void {`,
    '  const f = f32x4.splat(factor);',
    '  const a = f32x4.splat(addend);',
    ...chains.map((chain) => `  let c${chain} = v128.load(at, ${chain * 16});`),
    '  for (; iterations != 0; iterations--) {',
    ...chains.map((chain) => `    c${chain} = multiplyAdd(a, c${chain}, f);`),
    '  }',
    ...chains.map((chain) => `  v128.store(at, c${chain}, ${chain * 16});`),
    '}',
  ]);
}
