import test from 'ava';
import type { ArenaKernels } from '../../src/kernels/engine.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { createModeEngine } from './mode-engine.ts';
import { CALLS, shapes } from './random-calls.ts';
import { forAll } from './sandbox.ts';

/** What the call leaves to be read: its working memory is nobody's. */
function withoutScratch(words: Int32Array, call: KernelCall): Int32Array {
  return 'scratch' in call ? words.fill(0, call.scratch / FLOAT_BYTES) : words;
}

/** In mode fast the width of tiles decides bits, in mode strict nothing does. */
const CASES: Readonly<Record<string, ArenaKernels>> = {
  'mode strict': { mode: 'strict' },
  'mode fast with narrow tiles': { mode: 'fast', wide: false },
  'mode fast with wide tiles': { mode: 'fast', wide: true },
};

for (const [name, kernels] of Object.entries(CASES)) {
  for (const kind of ['convolve', 'convolveWeights', 'convolveWinograd', 'convolveWinogradWeights'] as const) {
    test(`${name} has the same bits with and without revectorization: ${kind}`, async (t) => {
      await using plain = await createModeEngine(kernels, { revectorize: false });
      await using revectorized = await createModeEngine(kernels, { revectorize: true });
      await forAll(
        shapes,
        async (shape, sandbox) => {
          const call = CALLS[kind]!(sandbox, shape);
          const [wanted, got] = await Promise.all(
            [plain, revectorized].map(async (engine) =>
              withoutScratch(new Int32Array((await sandbox.execute(engine, [call])).buffer), call),
            ),
          );
          t.deepEqual(got, wanted);
        },
        30,
      );
    });
  }
}
