import test from 'ava';
import fc from 'fast-check';
import { drawCurve, runningMean } from '../../src/telemetry/curve.ts';
import { linearScale, logarithmicScale } from '../../src/telemetry/scale.ts';

/** Points of the n-th polyline: 0 the steps, 1 their mean. */
function points(svg: string, line: 0 | 1): readonly (readonly [x: number, y: number])[] {
  const found = [...svg.matchAll(/<polyline[^>]* points="([^"]*)"/g)][line]![1]!;
  return found.split(' ').map((point) => point.split(',').map(Number) as [number, number]);
}

const falling = (steps: number) => Array.from({ length: steps }, (_, i) => ({ step: i + 1, loss: 2.3 * 0.99 ** i }));

test('every step is a point, inside the picture, from left to right and falling as the loss does', (t) => {
  const drawn = points(drawCurve(falling(300), { title: 'x' }), 0);
  t.is(drawn.length, 300);
  for (const [k, [x, y]] of drawn.entries()) {
    t.true(x >= 70 && x <= 832 && y >= 84 && y <= 364, `${x},${y}`);
    t.true(k === 0 || (x > drawn[k - 1]![0] && y >= drawn[k - 1]![1]));
  }
});

test('a long run keeps its ends and its extremes, in few points', (t) => {
  const history = falling(50_000).map((point) => ({ ...point, loss: 1 }));
  history[12_345]!.loss = 9;
  const drawn = points(drawCurve(history, { title: 'x' }), 0);
  t.true(drawn.length <= 2002, `${drawn.length} points`);
  t.is(drawn.filter(([, y]) => y < 200).length, 1);
});

test('title and accuracy are written out, with their special characters made harmless', (t) => {
  const svg = drawCurve(falling(3), { title: '<b> & "c"', accuracy: 0.9862 });
  t.true(svg.includes('&lt;b&gt; &amp; &quot;c&quot;'));
  t.false(svg.includes('<b>'));
  t.regex(svg, /3 steps · test accuracy 98\.62 %/);
});

test('the axis is logarithmic where losses spread widely, and linear from zero where they do not', (t) => {
  t.regex(drawCurve(falling(300), { title: 'x' }), /loss \(logarithmic\)/);
  t.notRegex(drawCurve(falling(20), { title: 'x' }), /logarithmic/);
  t.notRegex(drawCurve([...falling(300), { step: 301, loss: 0 }], { title: 'x' }), /logarithmic/);
});

test('histories of nothing, of one step and with a loss that is not finite can be drawn', (t) => {
  t.regex(drawCurve([], { title: 'x' }), /no step was trained/);
  for (const history of [falling(1), [...falling(3), { step: 4, loss: NaN }], [{ step: 1, loss: 0 }]]) {
    t.notRegex(drawCurve(history, { title: 'x' }), /NaN|Infinity/);
  }
});

test('a running mean averages the neighbours that exist', (t) => {
  t.deepEqual(runningMean([1, 2, 3, 4, 10], 1), [1.5, 2, 3, 17 / 3, 7]);
  t.deepEqual(runningMean([1, 2, 3], 0), [1, 2, 3]);
});

test('ticks are round, ascending, inside the range and few', (t) => {
  t.deepEqual(linearScale(0, 0.55, [0, 1], 5).ticks, [0, 0.2, 0.4]);
  t.deepEqual(linearScale(0, 938, [0, 1], 8).ticks, [0, 200, 400, 600, 800]);
  t.deepEqual(logarithmicScale(0.03, 3, [0, 1]).ticks, [0.05, 0.1, 0.2, 0.5, 1, 2]);
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.integer({ min: 2, max: 10 }), (high, wanted) => {
      const { ticks, at } = linearScale(0, high, [0, 100], wanted);
      t.true(ticks.length >= 1 && ticks.length <= wanted + 1, String(ticks));
      t.true(ticks.every((tick, k) => tick >= 0 && tick <= high * (1 + 1e-9) && (k === 0 || tick > ticks[k - 1]!)));
      t.is(at(high), 100);
    }),
  );
});
