import test from 'ava';
import { Figures, gigaflops } from '../../../nodes/wired/figures.ts';

test('a status comes at most once a second, with the mean of the calls since the one before', (t) => {
  const figures = new Figures();
  const call = (computeMs: number, now: number) => figures.add({ computeMs, multiplyAdds: 3e6, about: 'box' }, now);
  t.is(call(1, 0)!.text, 'box · 1.0 ms · 6.0 GFLOP/s');
  t.is(call(2, 400), undefined);
  t.is(call(2, 999), undefined);
  t.is(call(5, 1000)!.text, 'box · 3.0 ms · 2.0 GFLOP/s');
  t.deepEqual(figures.rest, { fill: 'grey', shape: 'ring', text: 'box · 3.0 ms · 2.0 GFLOP/s' });
});

test('what multiplies nothing shows its time alone, and what takes no time no speed', (t) => {
  t.is(new Figures().add({ computeMs: 0.04, multiplyAdds: 0, about: '' }, 0)!.text, '0.0 ms');
  t.is(gigaflops(1e9, 0), 0);
  t.is(gigaflops(1e9, 1000), 2);
});
