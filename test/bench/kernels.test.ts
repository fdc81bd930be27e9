import test from 'ava';

import { benchKernels } from '../../src/bench/kernels.ts';

test('the kernel benchmark measures three passes of each layer, in each mode, by each algorithm, against the peak of the same run', async (t) => {
  const layer = { samples: 2, extent: 6, inputs: 3, outputs: 5, kernel: 3 };
  const rows = await benchKernels({ layers: [layer], kernelMs: 1 });
  const builds = new Map(rows.map((row) => [`${row.mode} ${row.revectorized}`, row]));
  t.true(builds.has('strict 0') && builds.has('fast 0'));
  for (const { mode, revectorized } of builds.values()) {
    const own = rows.filter((row) => row.mode === mode && row.revectorized === revectorized);
    t.deepEqual(
      own.map(({ layer: name, pass, algorithm }) => [name, pass, algorithm]),
      (mode === 'strict' ? ['direct'] : ['direct', 'winograd']).flatMap((algorithm) =>
        ['forward', 'inputGradient', 'weightGradient'].map((pass) => ['2x6x6 3->5 k3', pass, algorithm]),
      ),
    );
  }
  for (const { ms, gflops, peakGflops, shareOfPeak } of rows) {
    t.true(ms > 0 && gflops > 0);
    t.true(Math.abs(shareOfPeak * peakGflops - gflops) < 1e-9 * gflops);
    t.true(Math.abs((gflops * ms) / ((2 * 2 * 36 * 9 * 15) / 1e6) - 1) < 1e-9);
  }
});

test('the kernel benchmark can be aborted', async (t) => {
  const reason = new Error('enough');
  await t.throwsAsync(benchKernels({ signal: AbortSignal.abort(reason) }), { is: reason });
});
