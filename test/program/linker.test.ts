import test from 'ava';
import fc from 'fast-check';
import { KernelError } from '../../src/errors.ts';
import { ALIGNMENT, Linker } from '../../src/program/linker.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { contiguous, type View } from '../../src/tensor/view.ts';

const BASE = 4096;

interface Life {
  readonly bytes: number;
  /** Positions of the calls that use the buffer. */
  readonly uses: readonly number[];
  readonly kept: boolean;
}

const lives = fc.array(
  fc.record({
    bytes: fc.integer({ min: 4, max: 5000 }),
    uses: fc.array(fc.nat(11), { minLength: 1, maxLength: 4 }),
    kept: fc.boolean(),
  }),
  { minLength: 1, maxLength: 15 },
);

/** Emits twelve rounds of calls, each clearing the buffers that it uses. @returns buffers, and the round of each call */
function build(of: readonly Life[]): { linker: Linker; buffers: number[]; rounds: number[] } {
  const linker = new Linker();
  const buffers = of.map(({ bytes }) => linker.buffer(bytes));
  const rounds: number[] = [];
  for (let round = 0; round < 12; round++) {
    of.forEach(({ uses, bytes }, b) => {
      if (!uses.includes(round)) return;
      linker.emit({ kind: 'zero', offset: buffers[b]!, bytes: Math.floor(bytes / 4) * 4 });
      rounds.push(round);
    });
  }
  of.forEach(({ kept }, b) => kept && linker.keep(buffers[b]!));
  return { linker, buffers, rounds };
}

test('buffers that live together never share a byte, whatever their sizes and lives', (t) => {
  fc.assert(
    fc.property(lives, (of) => {
      const { linker, buffers } = build(of);
      const { locate, end } = linker.link(BASE);
      const placed = of.map(({ bytes, uses, kept }, b) => {
        const start = locate(buffers[b]!);
        return { start, end: start + bytes, first: Math.min(...uses), last: kept ? Infinity : Math.max(...uses) };
      });
      for (const [i, a] of placed.entries()) {
        t.true(a.start >= BASE && a.end <= end);
        t.is(a.start % ALIGNMENT, 0);
        for (const b of placed.slice(i + 1)) {
          // Rounds are coarser than calls: buffers whose rounds do not even touch may share.
          const together = a.first <= b.last && b.first <= a.last;
          const sameRoundOnly = a.last === b.first || b.last === a.first;
          if (together && !sameRoundOnly) t.true(a.end <= b.start || b.end <= a.start);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('buffers of one call never share a byte, not even where one ends its life and the other begins', (t) => {
  const linker = new Linker();
  const [a, b] = [linker.buffer(64), linker.buffer(64)];
  linker.emit({ kind: 'copy', source: contiguous(a, [1, 1, 1, 16]), target: contiguous(b, [1, 1, 1, 16]) });
  const { locate } = linker.link(BASE);
  t.is(Math.abs(locate(a) - locate(b)), 64);
});

test('buffers that do not live together share bytes, unless one is kept', (t) => {
  const sizes = (keep: boolean) => {
    const linker = new Linker();
    const buffers = [linker.buffer(1000), linker.buffer(1000)];
    for (const offset of buffers) linker.emit({ kind: 'zero', offset, bytes: 1000 });
    if (keep) linker.keep(buffers[0]!);
    return linker.link(BASE).end - BASE;
  };
  t.is(sizes(false), 1024);
  t.is(sizes(true), 2048);
});

test('a buffer that nobody uses takes no room', (t) => {
  const linker = new Linker();
  linker.buffer(10_000);
  t.is(linker.link(BASE).end, BASE);
});

const at = (offset: number): View => contiguous(offset, [1, 1, 1, 1]);

/** One call of every kind, with a buffer of its own behind every address. */
function everyKind(next: () => number): readonly KernelCall[] {
  const kernel = { taps: [0], tapIndex: [0], kernelTaps: 1 };
  const window = { kernel: 1, stride: 1, originY: 0, originX: 0 };
  const loss = { count: 1, metricsLength: 3, rank: 0 };
  return [
    { kind: 'zero', offset: next(), bytes: 4 },
    { kind: 'clearBorder', view: at(next()), border: { top: 0, bottom: 0, left: 0, right: 0 } },
    { kind: 'copy', source: at(next()), target: at(next()) },
    { kind: 'add', source: at(next()), target: at(next()) },
    { kind: 'pack', source: at(next()), offset: next(), start: 0, chunkBytes: 4, gapBytes: 4 },
    { kind: 'pixels', source: at(next()), target: at(next()), mean: 0, deviation: 1 },
    {
      kind: 'packWeights',
      weights: next(),
      packed: next(),
      rows: 1,
      columns: 1,
      rowStride: 1,
      columnStride: 1,
      taps: [0],
    },
    { kind: 'convolve', source: at(next()), target: at(next()), packed: next(), taps: [0], bias: next(), slope: 1 },
    {
      kind: 'convolveWeights',
      source: at(next()),
      gradient: at(next()),
      ...kernel,
      target: next(),
      scratch: next(),
    },
    { kind: 'sumPlanes', source: at(next()), target: next() },
    { kind: 'activationBackward', output: at(next()), gradient: at(next()), slope: 0 },
    { kind: 'maxPool', source: at(next()), target: at(next()), ...window },
    {
      kind: 'maxPoolBackward',
      source: at(next()),
      targetGradient: at(next()),
      sourceGradient: at(next()),
      ...window,
      slope: 0,
      sums: next(),
    },
    {
      kind: 'convolveDepthwise',
      source: at(next()),
      target: at(next()),
      weights: next(),
      ...kernel,
      bias: next(),
      slope: 1,
    },
    { kind: 'convolveDepthwiseWeights', source: at(next()), gradient: at(next()), ...kernel, target: next() },
    { kind: 'dense', source: at(next()), target: at(next()), weights: next(), bias: next(), slope: 1 },
    { kind: 'denseInput', targetGradient: at(next()), sourceGradient: at(next()), weights: next(), weightsRow: 4 },
    { kind: 'denseWeights', source: at(next()), targetGradient: at(next()), target: next() },
    { kind: 'softmaxCrossEntropy', logits: at(next()), labels: next(), gradient: at(next()), metrics: next(), ...loss },
    { kind: 'meanSquares', output: at(next()), gradient: at(next()), metrics: next(), ...loss },
    {
      kind: 'sgd',
      weights: next(),
      gradient: next(),
      momentum: next(),
      length: 1,
      rate: 1,
      coefficient: 0.9,
      weightDecay: 0,
    },
    { kind: 'checksum', offset: next(), bytes: 4, target: next() },
  ];
}

/** Every number in a call, however deep. */
function numbers(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbers) : [];
}

test('every address of every kind of call becomes final, is counted as a use, and nothing else changes', (t) => {
  const linker = new Linker();
  const handed: number[] = [];
  const next = () => {
    handed.push(linker.buffer(64));
    return handed.at(-1)!;
  };
  const calls = everyKind(next);
  for (const call of calls) linker.emit(call);
  const linked = linker.link(BASE);
  calls.forEach((call, k) => {
    const virtual = new Set(handed);
    const expected = numbers(call).map((value) => (virtual.has(value) ? linked.locate(value) : value));
    t.deepEqual(numbers(linked.calls[k]), expected, call.kind);
    // An address that was missed would have no place of its own within its call.
    const places = numbers(call)
      .filter((value) => virtual.has(value))
      .map(linked.locate);
    t.is(new Set(places).size, places.length, call.kind);
  });
});

test('addresses that are final already, and those that say that there is none, stay as they are', (t) => {
  const linker = new Linker();
  const sgd = {
    kind: 'sgd',
    weights: 128,
    gradient: 256,
    momentum: 0,
    length: 4,
    rate: 1,
    coefficient: 0,
    weightDecay: 0,
  } as const;
  linker.emit(sgd);
  t.deepEqual(linker.link(BASE).calls, [sgd]);
});

test('an address between buffers is a mistake of the emitter, and is said so', (t) => {
  const linker = new Linker();
  const offset = linker.buffer(64) + 1000;
  const error = t.throws(() => linker.emit({ kind: 'zero', offset, bytes: 4 }), { instanceOf: KernelError });
  t.is(error.code, 'kernelCall');
});
