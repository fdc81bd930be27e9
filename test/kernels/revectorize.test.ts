import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { FLOAT_BYTES } from '../../src/tensor/view.ts';
import { CALLS, shapes } from './random-calls.ts';
import { forAll } from './sandbox.ts';

/** What the call leaves to be read: its working memory is nobody's. */
function withoutScratch(words: Int32Array, call: KernelCall): Int32Array {
  return 'scratch' in call ? words.fill(0, call.scratch / FLOAT_BYTES) : words;
}

for (const kind of ['convolve', 'convolveWeights'] as const) {
  test(`mode strict has the same bits with and without revectorization: ${kind}`, async (t) => {
    await using plain = await createEngine({ revectorize: false });
    await using wide = await createEngine({ revectorize: true });
    await forAll(
      shapes,
      async (shape, sandbox) => {
        const call = CALLS[kind]!(sandbox, shape);
        const [wanted, got] = await Promise.all(
          [plain, wide].map(async (engine) =>
            withoutScratch(new Int32Array((await sandbox.execute(engine, [call])).buffer), call),
          ),
        );
        t.deepEqual(got, wanted);
      },
      100,
    );
  });
}
