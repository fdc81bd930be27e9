import test from 'ava';
import fc from 'fast-check';
import { NEEDS } from '../../src/kernels/needs.ts';
import { applyTo } from '../../src/kernels/per-call.ts';
import { checkCalls } from '../../src/kernels/check.ts';
import { METRICS, METRIC_SUMS } from '../../src/planner/plan.ts';
import { compileProgram } from '../../src/program/compile.ts';
import { bucketsOf } from '../../src/program/messages.ts';
import type { IterationProgram, Phase, Program } from '../../src/program/program.ts';
import { length, volume } from '../../src/tensor/box.ts';
import type { KernelCall } from '../../src/tensor/call.ts';
import { TEST_FRAMING, TEST_SGD } from '../support/lockstep.ts';
import { plannedNetworks, type Planned } from '../support/random-networks.ts';

interface Region {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

function compileAll({ model, plan }: Planned, momentum = 0.9): readonly Program[] {
  const samples = [...new Set([plan.batch, Math.max(1, plan.batch - 1)])];
  return plan.devices.map((_, rank) =>
    compileProgram(model, plan, rank, {
      framing: TEST_FRAMING,
      optimizer: { ...TEST_SGD, momentum },
      normalization: { mean: [], deviation: [] },
      writers: [0, plan.devices.length - 1],
      variants: [
        ...samples.map((count) => ({ kind: 'train', samples: count }) as const),
        { kind: 'evaluate', samples: samples.at(-1)! },
        { kind: 'checkpoint', samples: plan.batch },
      ],
    }),
  );
}

/** Everything that keeps its place, of one kind of iteration. */
function regions({ model, plan }: Planned, program: Program, iteration: IterationProgram): readonly Region[] {
  const { storage, rank } = program;
  const list: Region[] = [];
  const add = (what: string, start: number, bytes: number) => list.push({ what, start, end: start + bytes });
  for (const [name, address] of storage.parameters) {
    add(name, address, 4 * plan.parameters.find((one) => one.name === name)!.extent.reduce((a, b) => a * b, 1));
  }
  for (const { momentum, box, parameter } of storage.owned)
    add(`momentum of ${parameter.name}`, momentum, 4 * volume(box));
  add('metrics', storage.metrics, 4 * (METRIC_SUMS + plan.devices.length));
  add('rate', storage.rate, 4);
  add('checksums', storage.checksums, 4 * bucketsOf(plan).length);
  const images = length(plan.stages[0]!.needed[rank]![0]) * model.input[0] * model.input[1] * model.input[2];
  for (const parity of [0, 1] as const) {
    add(`images ${parity}`, storage.images[parity], images);
    add(`labels ${parity}`, storage.labels[parity], 4 * plan.batch);
    for (const [id, address] of iteration.slots[parity])
      add(`slot ${parity} of ${id}`, address, iteration.messages[id]!.bytes);
  }
  for (const [id, address] of iteration.sends) {
    const { bytes } = iteration.messages[id]!;
    const headers = Math.ceil(bytes / TEST_FRAMING.chunkBytes) * TEST_FRAMING.headerBytes;
    add(`region of ${id}`, address - TEST_FRAMING.headerBytes, bytes + headers);
  }
  return list.filter(({ start, end }) => end > start);
}

/** In the order in which they are run. */
const phasesOf = ({ forward, loss, backward, reduce, update, apply, gather }: IterationProgram): readonly Phase[] => [
  ...forward,
  loss,
  ...backward.toReversed(),
  ...reduce,
  ...update,
  apply,
  gather,
];

test('nothing that keeps its place shares a byte with anything else, and all of it begins at multiples of 64', (t) => {
  fc.assert(
    fc.property(plannedNetworks, (planned) => {
      for (const program of compileAll(planned)) {
        for (const iteration of program.iterations.values()) {
          const list = regions(planned, program, iteration).toSorted((a, b) => a.start - b.start);
          list.forEach(({ what, start, end }, k) => {
            t.is(start % 64, 0, what);
            t.true(start >= 64 && end <= program.storage.end, what);
            if (k > 0) t.true(list[k - 1]!.end <= start, `${list[k - 1]!.what} and ${what}`);
          });
        }
      }
    }),
    { numRuns: 40 },
  );
});

/** Names of the spans that a call writes; it reads the others. `message` is what pack fills. */
const WRITTEN: Readonly<Record<KernelCall['kind'], readonly string[]>> = {
  zero: ['offset'],
  clearBorder: ['view with its border'],
  copy: ['target'],
  add: ['target'],
  pack: ['message'],
  pixels: ['target'],
  packWeights: ['packed'],
  convolve: ['target'],
  convolveWeights: ['target', 'scratch'],
  convolveDepthwise: ['target'],
  convolveDepthwiseWeights: ['target'],
  transformWeights: ['packed'],
  convolveWinograd: ['target', 'scratch'],
  convolveWinogradWeights: ['target', 'scratch'],
  sumPlanes: ['target'],
  activationBackward: ['gradient'],
  maxPool: ['target'],
  maxPoolBackward: ['source gradient', 'sums'],
  dense: ['outputs'],
  denseInput: ['inputs'],
  denseWeights: ['matrix'],
  softmaxCrossEntropy: ['gradient', 'metrics'],
  meanSquares: ['gradient', 'metrics'],
  sgd: ['weights', 'momentum'],
  checksum: ['target'],
};

test('calls write only buffers, send regions and what they update; they read only slots that their phase or one before it waited for', (t) => {
  fc.assert(
    fc.property(plannedNetworks, (planned) => {
      for (const program of compileAll(planned)) {
        for (const iteration of program.iterations.values()) {
          const fixed = regions(planned, program, iteration);
          const arrived = new Set<number>();
          for (const phase of phasesOf(iteration)) {
            phase.receive.forEach((id) => arrived.add(id));
            for (const parity of [0, 1] as const) {
              for (const call of phase.calls[parity]) {
                for (const { name, start, end } of applyTo(NEEDS, call).spans) {
                  if (start === end) continue;
                  const met = fixed
                    .filter((region) => start < region.end && region.start < end)
                    .map(({ what }) => what);
                  const said = `${call.kind} ${name}: ${met.join(', ')}`;
                  // What lies in fixed storage lies in one region of it, or in the rows of a parameter.
                  if (end > program.storage.end) t.deepEqual(met, [], said);
                  else t.is(met.length, 1, said);
                  const written = WRITTEN[call.kind].includes(name);
                  t.true(
                    met.every((what) => allowed(what, written, { phase, arrived, parity })),
                    said,
                  );
                }
              }
            }
          }
        }
      }
    }),
    { numRuns: 25 },
  );
});

interface Moment {
  readonly phase: Phase;
  /** Ids of the messages that the phase, or one before it, waited for. */
  readonly arrived: ReadonlySet<number>;
  readonly parity: 0 | 1;
}

function allowed(what: string, written: boolean, { phase, arrived, parity }: Moment): boolean {
  const [kind, number, , id] = what.split(' ');
  if (kind === 'slot') return !written && number === String(parity) && arrived.has(Number(id));
  if (kind === 'images' || kind === 'labels') return !written && number === String(parity);
  if (kind === 'region') return written && phase.send.some((message) => message.id === Number(what.split(' ')[2]));
  return true;
}

test('every call keeps to the arena and to the shapes that kernels take, for every network, plan and size of batch', (t) => {
  fc.assert(
    fc.property(plannedNetworks, fc.constantFrom(0, 0.9), (planned, momentum) => {
      for (const program of compileAll(planned, momentum)) {
        for (const iteration of program.iterations.values()) {
          for (const phase of phasesOf(iteration)) {
            for (const calls of phase.calls) t.notThrows(() => checkCalls(calls, program.arenaBytes));
          }
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('even and odd iterations are the same but for slots, images and labels', (t) => {
  fc.assert(
    fc.property(plannedNetworks, (planned) => {
      for (const program of compileAll(planned)) {
        const { slots, images, labels } = program.storage;
        const shared = (address: number) => address < images[0] || address >= slots[1] + (slots[1] - slots[0]);
        for (const phase of [...program.iterations.values()].flatMap(phasesOf)) {
          const [even, odd] = phase.calls;
          t.is(even.length, odd.length);
          even.forEach((call, k) => {
            const places = (of: KernelCall) =>
              applyTo(NEEDS, of).spans.map(({ start }) => (shared(start) ? start : labels[0]));
            t.is(call.kind, odd[k]!.kind);
            t.deepEqual(places(call), places(odd[k]!));
          });
        }
      }
    }),
    { numRuns: 20 },
  );
});

test('without momentum the optimizer keeps none, and a device stores only the parameters that it holds', (t) => {
  fc.assert(
    fc.property(plannedNetworks, (planned) => {
      compileAll(planned, 0).forEach(({ storage, rank }) => {
        t.true(storage.owned.every(({ momentum }) => momentum === 0));
        t.deepEqual(
          [...storage.parameters.keys()],
          planned.plan.parameters
            .filter(({ name, holders }) => name !== METRICS && holders.includes(rank))
            .map(({ name }) => name),
        );
      });
    }),
    { numRuns: 20 },
  );
});
