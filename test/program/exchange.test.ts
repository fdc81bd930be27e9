import test from 'ava';
import fc from 'fast-check';
import { adjoint, redistribute, type Transfer } from '../../src/program/exchange.ts';
import {
  EMPTY_BOX,
  boxOf,
  contains,
  cut,
  intersect,
  isEmpty,
  type Box,
  type Extent,
  type Range,
} from '../../src/tensor/box.ts';
import { plannedNetworks } from '../support/random-networks.ts';

/** Values of one rank, by cell of the global tensor; what is not there is not on the device. */
type Cells = Map<string, number>;

function* cellsOf([n, c, y, x]: Box): Generator<string> {
  for (let i = n[0]; i < n[1]; i++)
    for (let j = c[0]; j < c[1]; j++)
      for (let k = y[0]; k < y[1]; k++) for (let l = x[0]; l < x[1]; l++) yield `${i},${j},${k},${l}`;
}

/** Whole numbers, so that sums are exact in any order. */
function fill(boxes: readonly Box[], seed: number): Cells[] {
  let state = seed;
  const next = () => (state = (state * 48271 + 11) % 2147483647) % 1000;
  return boxes.map((box) => new Map([...cellsOf(box)].map((cell) => [cell, next()])));
}

function zeros(boxes: readonly Box[]): Cells[] {
  return boxes.map((box) => new Map([...cellsOf(box)].map((cell) => [cell, 0])));
}

/** Carries out transfers: what is on both sides of the same device stays, what is listed travels; values add. */
function carry(
  x: readonly Cells[],
  boxes: readonly Box[],
  transfers: readonly Transfer[],
  to: readonly Box[],
): Cells[] {
  const result = zeros(to);
  const add = (cell: string, from: number, rank: number) =>
    result[rank]!.set(cell, result[rank]!.get(cell)! + x[from]!.get(cell)!);
  to.forEach((box, rank) => {
    for (const cell of cellsOf(intersect(boxes[rank]!, box))) add(cell, rank, rank);
  });
  for (const { from, to: rank, box } of transfers) for (const cell of cellsOf(box)) add(cell, from, rank);
  return result;
}

function inner(a: readonly Cells[], b: readonly Cells[]): number {
  const products = a.flatMap((cells, rank) => [...cells].map(([cell, value]) => value * b[rank]!.get(cell)!));
  return products.reduce((sum, product) => sum + product, 0);
}

interface Case {
  readonly owned: readonly Box[];
  readonly needed: readonly Box[];
}

const range = (extent: number): fc.Arbitrary<Range> =>
  fc.tuple(fc.nat(extent), fc.nat(extent)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);

/** Disjoint boxes that cover a tensor, dealt to more ranks than there are boxes, and any boxes that are needed. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    extent: fc.tuple(...[3, 3, 5, 5].map((max) => fc.integer({ min: 1, max }))),
    parts: fc.tuple(...[2, 1, 2, 2].map((max) => fc.integer({ min: 1, max }))),
    idle: fc.nat(2),
    seed: fc.nat(),
  })
  .chain(({ extent, parts, idle, seed }) => {
    const [n, c, y, x] = extent.map((cells, axis) => cut(cells, parts[axis]!)) as [Range[], Range[], Range[], Range[]];
    const boxes = n.flatMap((i) => c.flatMap((j) => y.flatMap((k) => x.map((l): Box => [i, j, k, l]))));
    const owned = shuffled([...boxes, ...Array.from({ length: idle }, () => EMPTY_BOX)], seed);
    const box = fc.tuple(range(extent[0]!), range(extent[1]!), range(extent[2]!), range(extent[3]!));
    return fc.array(box, { minLength: owned.length, maxLength: owned.length }).map((needed) => ({ owned, needed }));
  });

function shuffled<T>(list: readonly T[], seed: number): T[] {
  return list
    .map((item, i) => [(seed * (i + 7) * 7919) % 1013, item] as const)
    .toSorted((a, b) => a[0] - b[0])
    .map(([, item]) => item);
}

test('redistribute brings every needed cell, from the one device that owns it', (t) => {
  fc.assert(
    fc.property(cases, fc.nat(), ({ owned, needed }, seed) => {
      const x = fill(owned, seed);
      const truth = new Map(x.flatMap((cells) => [...cells]));
      const got = carry(x, owned, redistribute(owned, needed), needed);
      needed.forEach((box, rank) => {
        t.deepEqual(
          [...got[rank]!],
          [...cellsOf(box)].map((cell) => [cell, truth.get(cell)!]),
        );
      });
    }),
  );
});

test('the adjoint is the transpose of redistribute: <Rx, y> = <x, R*y>', (t) => {
  fc.assert(
    fc.property(cases, fc.nat(), ({ owned, needed }, seed) => {
      const [x, y] = [fill(owned, seed), fill(needed, seed + 1)];
      const rx = carry(x, owned, redistribute(owned, needed), needed);
      const ry = carry(y, needed, adjoint(owned, needed), owned);
      t.is(inner(rx, y), inner(x, ry));
    }),
    { numRuns: 300 },
  );
});

test('between the stages of a plan too, for full and for smaller batches', (t) => {
  fc.assert(
    fc.property(plannedNetworks, fc.nat(), ({ plan: { stages } }, seed) => {
      for (let stage = 1; stage < stages.length; stage++) {
        const [owned, needed] = [stages[stage - 1]!.owned, stages[stage]!.needed];
        const [x, y] = [fill(owned, seed), fill(needed, seed + 1)];
        const rx = carry(x, owned, redistribute(owned, needed), needed);
        t.is(inner(rx, y), inner(x, carry(y, needed, adjoint(owned, needed), owned)));
      }
    }),
    { numRuns: 40 },
  );
});

test('nobody sends to itself, sends nothing, or sends what it does not own', (t) => {
  fc.assert(
    fc.property(cases, ({ owned, needed }) => {
      for (const { from, to, box } of redistribute(owned, needed)) {
        t.not(from, to);
        t.false(isEmpty(box));
        t.true(contains(owned[from]!, box) && contains(needed[to]!, box));
      }
      t.deepEqual(
        adjoint(owned, needed).map(({ from, to, box }) => ({ from: to, to: from, box })),
        redistribute(owned, needed),
      );
    }),
  );
});

test('nothing travels where everybody owns what it needs', (t) => {
  const extent: Extent = [4, 2, 3, 3];
  const owned = cut(4, 2).map((n): Box => [n, [0, 2], [0, 3], [0, 3]]);
  t.deepEqual(redistribute(owned, owned), []);
  t.deepEqual(redistribute([boxOf(extent), EMPTY_BOX], [boxOf(extent), EMPTY_BOX]), []);
});
