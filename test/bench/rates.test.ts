import test from 'ava';
import { fitCosts } from '../../src/bench/least-squares.ts';
import { measureRates } from '../../src/bench/rates.ts';
import { PASSES, parseKernelRates } from '../../src/tensor/rates.ts';

test('measured rates are rates: every kind of work of every pass has a cost, and multiply-adds take time', async (t) => {
  const rates = await measureRates(false);
  t.deepEqual(parseKernelRates(JSON.parse(JSON.stringify(rates))), rates);
  for (const pass of PASSES) {
    for (const { product, source, target, weights } of Object.values(rates[pass])) {
      t.true(product + source + target + weights > 0, pass);
    }
  }
});

test('costs that explain all times are found, whatever their size', (t) => {
  const rows = [
    [1e8, 200, 3, 1],
    [1e6, 9000, 3, 1],
    [1e7, 200, 40, 1],
    [1e6, 100, 1, 900],
    [5e7, 1000, 7, 20],
  ];
  const costs = [0.02, 40, 7, 30];
  const times = rows.map((row) => row.reduce((sum, one, k) => sum + one * costs[k]!, 0));
  for (const [k, cost] of fitCosts(rows, times).entries()) t.true(Math.abs(cost / costs[k]! - 1) < 1e-6, String(cost));
});

test('no cost is negative: what would be is left out of the sum', (t) => {
  const [a, b] = fitCosts(
    [
      [1, 1],
      [1, 2],
      [1, 4],
    ],
    [4, 3, 1],
  );
  t.is(b, 0);
  t.true(a! > 1 && a! < 4);
});

test('work that no row has costs nothing', (t) => {
  t.deepEqual(
    fitCosts(
      [
        [2, 0],
        [4, 0],
      ],
      [6, 12],
    ).map((cost) => Number(cost.toFixed(9))),
    [3, 0],
  );
});
