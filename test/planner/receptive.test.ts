import test from 'ava';
import fc from 'fast-check';
import type { Layer } from '../../src/model/layers.ts';
import { activationShapes, type Shape } from '../../src/model/shapes.ts';
import { neededBox, stageRegions, windowRange } from '../../src/planner/receptive.ts';
import { EMPTY_BOX, isEmpty, type Box } from '../../src/tensor/box.ts';
import { plannedNetworks } from '../support/random-networks.ts';

/** Marks, cell by cell, what a layer looks at to compute the marked cells of its output; pixels that a dilation leaves out count as looked at. */
function touched(layer: Layer, input: Shape, marked: readonly (readonly number[])[]): number[][] {
  const [channels, rows, columns] = input;
  const found = new Map<string, number[]>();
  const mark = (c: number, y: number, x: number) => {
    if (y >= 0 && y < rows && x >= 0 && x < columns) found.set(`${c},${y},${x}`, [c, y, x]);
  };
  for (const [c, y, x] of marked as readonly [number, number, number][]) {
    if (layer.kind === 'flatten' || layer.kind === 'dense') {
      for (let i = 0; i < channels * rows * columns; i++)
        mark(Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns);
      continue;
    }
    const reach = layer.kind === 'conv2d' ? (layer.kernel - 1) * (layer.dilation ?? 1) + 1 : layer.kernel;
    for (let u = 0; u < reach; u++)
      for (let v = 0; v < reach; v++)
        for (let from = 0; from < channels; from++) {
          if (layer.kind === 'maxPool' && from !== c) continue;
          mark(from, y * layer.stride - layer.padding + u, x * layer.stride - layer.padding + v);
        }
  }
  return [...found.values()];
}

function cells([, c, y, x]: Box): number[][] {
  const list: number[][] = [];
  for (let k = c[0]; k < c[1]; k++)
    for (let i = y[0]; i < y[1]; i++) for (let j = x[0]; j < x[1]; j++) list.push([k, i, j]);
  return list;
}

/** The smallest box of the batch's samples that holds all the cells. */
function around(n: Box[0], list: readonly (readonly number[])[]): Box {
  const span = (axis: number) =>
    [Math.min(...list.map((cell) => cell[axis]!)), Math.max(...list.map((cell) => cell[axis]!)) + 1] as const;
  return [n, span(0), span(1), span(2)];
}

test('the region of every layer of a stage is exactly what its owned box looks at, cell by cell', (t) => {
  fc.assert(
    fc.property(plannedNetworks, ({ model, plan }) => {
      const shapes = activationShapes(model);
      for (const { layers: range, owned, needed } of plan.stages) {
        const layers = model.layers.slice(...range);
        owned.forEach((box, rank) => {
          const regions = stageRegions(layers, shapes.slice(range[0], range[1] + 1), box);
          t.deepEqual(regions[0], needed[rank]);
          if (isEmpty(box)) return t.true(regions.every(isEmpty));
          let marked = cells(box);
          for (let l = layers.length - 1; l >= 0; l--) {
            marked = touched(layers[l]!, shapes[range[0] + l]!, marked);
            t.deepEqual(regions[l], around(box[0], marked));
          }
        });
      }
    }),
    { numRuns: 150 },
  );
});

test('a dilated window spans (k - 1)·d + 1 pixels, and a grouped convolution needs all channels', (t) => {
  const window = { kernel: 3, stride: 2, padding: 4, dilation: 3 };
  t.deepEqual(windowRange(window, [1, 3]), [-2, 7]);
  const layer = { kind: 'conv2d', name: 'c', filters: 8, groups: 4, activation: { kind: 'relu' }, ...window } as const;
  const box: Box = [
    [0, 1],
    [0, 8],
    [1, 3],
    [0, 1],
  ];
  t.deepEqual(neededBox(layer, [4, 9, 9], box), [
    [0, 1],
    [0, 4],
    [0, 7],
    [0, 3],
  ]);
});

test('a window looks at [a·s - p, (b - 1)·s - p + k), clipped to the image only for the box', (t) => {
  const layer = { kind: 'maxPool', kernel: 3, stride: 2, padding: 1 } as const;
  t.deepEqual(windowRange(layer, [0, 2]), [-1, 4]);
  const box: Box = [
    [1, 3],
    [2, 4],
    [0, 2],
    [1, 3],
  ];
  t.deepEqual(neededBox(layer, [4, 5, 4], box), [
    [1, 3],
    [2, 4],
    [0, 4],
    [1, 4],
  ]);
  t.deepEqual(neededBox({ kind: 'flatten' }, [4, 5, 4], box), [
    [1, 3],
    [0, 4],
    [0, 5],
    [0, 4],
  ]);
  t.is(neededBox(layer, [4, 5, 4], EMPTY_BOX), EMPTY_BOX);
});
