/** Prints the tile of convolutions to narrow rows: rows (output channels) times any four pixels of the target, gathered one by one. */

import { lines, range } from './text.ts';

/** What a file of gathering tiles begins with. */
export const GATHER_IMPORTS = `import { Convolve, FIELDS, TAPS, weightsOf } from '../convolve-block';
import { scatter } from '../convolve-pixels';
import { multiplyAdd } from '../multiply-add';
import { viewOf } from '../view';
`;

/** Prints `gather<rows>`: the pixels at addresses p0 to p3 of the source, to the target's pixels that begin with number `pixel`. */
export function gatherTile(rows: number): string {
  return lines([
    `export function gather${rows}(block: usize, channel: usize, p0: usize, p1: usize, p2: usize, p3: usize, pixel: usize): void {`,
    '  const fields = changetype<Convolve>(block + FIELDS);',
    '  const step = viewOf(block, 0).plane;',
    '  const tapsEnd = block + TAPS + (fields.tapCount << 2);',
    '  let w = weightsOf(block, channel);',
    `  const end = w + fields.weightBytes * ${rows};`,
    '  let plane: usize = 0;',
    ...range(rows).map((row) => `  let total${row} = f32x4.splat(0);`),
    '  while (w != end) {',
    `    const chunkEnd = min(w + fields.chunkBytes * ${rows}, end);`,
    ...range(rows).map((row) => `    let sum${row} = f32x4.splat(0);`),
    '    for (; w != chunkEnd; plane += step) {',
    `      for (let tap = block + TAPS; tap < tapsEnd; tap += 4, w += ${rows * 4}) {`,
    '        const at = plane + load<usize>(tap);',
    '        let x = v128.load32_zero(p0 + at);',
    ...[1, 2, 3].map((lane) => `        x = v128.load_lane<i32>(p${lane} + at, x, ${lane});`),
    ...range(rows).map((row) => `        sum${row} = multiplyAdd(sum${row}, x, v128.load32_splat(w, ${row * 4}));`),
    '      }',
    '    }',
    ...range(rows).map((row) => `    total${row} = f32x4.add(total${row}, sum${row});`),
    '  }',
    ...range(rows).map((row) => `  scatter(block, channel + ${row}, pixel, total${row});`),
    '}',
  ]);
}
