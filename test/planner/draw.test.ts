import test from 'ava';
import fc from 'fast-check';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { frame } from '../../src/planner/draw-stage.ts';
import { drawPlan } from '../../src/planner/draw.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { PlanRequest, Walk } from '../../src/planner/plan.ts';

const LENET = zooModel('lenet5');

function draw(devices: readonly string[], request: PlanRequest, model?: Model): string {
  return drawPlan(makePlan(LENET, devices, { batch: 64, request }), model);
}

const count = (svg: string, pattern: RegExp): number => [...svg.matchAll(pattern)].length;

test('the default plan of LeNet-5 shows its stages, its layers, its tiles, their halos and what travels', (t) => {
  const svg = draw(['node1', 'node2', 'node3', 'node4'], { grid: [2, 2] }, LENET);
  for (const said of [
    'lenet5 on 4 devices',
    'batches of 64, 3 stages',
    'Stage 1: 2x2 tiles',
    'conv1 5x5, pool 2x2',
    '1x28x28 → 6x14x14 per image',
    'tile of 7x7 reads 16x16, with halo',
    'images: on every device',
    'Stage 2: 2x2 tiles',
    'Stage 3: samples',
    'flatten, fc1, fc2, fc3',
    'samples 48 to 63',
    // 16·5·5 values of each image that a node has not got: 64 · 16 · 25 · 3/4 · 4 bytes.
    'from stage 2: 77 kB a step each way',
  ]) {
    t.true(svg.includes(said), said);
  }
  // Two tiled stages: a core and a dashed outline per node, and two strips of halo where two sides have neighbours.
  t.is(count(svg, /stroke-dasharray="5 3"/g), 8);
  t.is(count(svg, /fill="url\(#halo-\d\)"/g), 2 * 4 * 2 + 1);
  t.is(count(svg, /<pattern /g), 4);
});

test('strips are named, and dotted lines show where those of rows meet', (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const walked = (batch: number, walk: Walk) =>
    drawPlan(makePlan(LENET, names, { batch, request: { grid: [2, 2], ...walk } }), LENET);
  const dotted = (svg: string) => count(svg, /stroke-dasharray="2 3"/g);
  const svg = walked(1, { recompute: true, strips: 4 });
  t.true(svg.includes('Stage 1: 2x2 tiles, in 4 strips') && svg.includes('Stage 2: 2x2 tiles, recomputed'));
  // Tiles of 7 rows in four strips.
  t.is(dotted(svg), 4 * 3);
  t.is(dotted(walked(4, { recompute: true, strips: 4 })), 0, 'strips of samples');
  const whole = walked(1, { recompute: true });
  t.true(whole.includes('Stage 1: 2x2 tiles, recomputed'));
  t.is(dotted(whole), 0);
});

test('without a model layers go by number, and one device that does everything is one bar', (t) => {
  const svg = draw(['pi1'], { stages: [{ layers: [0, 8], partition: 'single' }] });
  t.true(svg.includes('layers 0 to 7'));
  t.true(svg.includes('Stage 1: one device'));
  t.is(count(svg, /url\(#halo/g), 0);
});

test('names that do not fit are shortened, and names of devices cannot break the picture', (t) => {
  const svg = draw(['<b>', 'a&b'], { stages: [{ layers: [0, 8], partition: 'samples' }] }, LENET);
  t.true(svg.includes('conv1 to fc3'));
  t.true(svg.includes('&lt;b&gt;') && svg.includes('a&amp;b'));
  t.false(svg.includes('<b>'));
});

test('the legend breaks into lines inside the picture', (t) => {
  const names = Array.from({ length: 9 }, (_, k) => `a-device-with-a-long-name-${k}`);
  const svg = draw(names, { stages: [{ layers: [0, 8], partition: 'samples' }] });
  const width = Number(/width="(\d+)"/.exec(svg)![1]);
  for (const [, x] of svg.matchAll(/<text x="([\d.]+)" [^>]*>a-device-with-a-long-name-\d</g)) {
    t.true(Number(x) + 27 * 7 < width, `${x} of ${width}`);
  }
  t.notRegex(svg, /(?:width|height)="-/);
});

test('the strips of a halo are what a box has beyond its core, each cell once', (t) => {
  const range = fc
    .tuple(fc.nat(12), fc.integer({ min: 1, max: 8 }))
    .map(([start, length]) => [start, start + length] as const);
  fc.assert(
    fc.property(range, range, range, range, (outerY, outerX, innerY, innerX) => {
      const strips = frame([outerY, outerX], [innerY, innerX]);
      const inside = (y: number, x: number, [ys, xs]: (typeof strips)[number]): boolean =>
        y >= ys[0] && y < ys[1] && x >= xs[0] && x < xs[1];
      for (let y = 0; y < 20; y++) {
        for (let x = 0; x < 20; x++) {
          const wanted = inside(y, x, [outerY, outerX]) && !inside(y, x, [innerY, innerX]) ? 1 : 0;
          t.is(strips.filter((strip) => inside(y, x, strip)).length, wanted);
        }
      }
    }),
    { numRuns: 60 },
  );
});
