/** One iteration of one device as phases: forward stage by stage, loss, backward, and the parameters' way to their owners and back. */

import type { KernelCall } from '../tensor/call.ts';
import { mine, theirs, type Emission, type IterationRequest } from './emission.ts';
import { Linker } from './linker.ts';
import type { Message } from './messages.ts';
import { emitApply, emitReduce, emitUpdate } from './parameters.ts';
import type { Stored } from './planes.ts';
import type { IterationProgram, Phase, Readable } from './program.ts';
import { emitForwardStage } from './stage.ts';
import { emitBackwardStage } from './stage-backward.ts';
import { emitLoss } from './loss.ts';
import { layoutSends, layoutSlots } from './storage.ts';
import type { MessagePlaces } from './transfers.ts';

/** Where phases begin and end in the list of calls. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly receive: readonly number[];
  readonly send: readonly Message[];
  readonly collect: readonly number[];
}

interface Spans {
  readonly forward: readonly Span[];
  readonly loss: Span;
  readonly backward: readonly Span[];
  readonly reduce: readonly Span[];
  readonly update: readonly Span[];
  readonly apply: Span;
  readonly gather: Span;
}

/** @returns the program, and the end of the arena that it needs */
export function compileIteration(request: IterationRequest): {
  readonly program: IterationProgram;
  readonly end: number;
} {
  const { messages, rank, storage } = request;
  const slotOffsets = layoutSlots(messages, rank).offsets;
  const sendOffsets = layoutSends(messages, rank, request.options.framing).offsets;
  const slots = storage.slots.map((base) => shift(slotOffsets, base)) as [Map<number, number>, Map<number, number>];
  const sends = shift(sendOffsets, storage.send);
  const [even, odd] = ([0, 1] as const).map((parity) =>
    emitIteration(request, parity, { slots: slots[parity], sends }),
  );
  const phase = (evenSpan: Span, oddSpan: Span): Phase => ({
    receive: evenSpan.receive,
    collect: evenSpan.collect,
    send: nearestFirst(evenSpan.send, rank, request.plan.devices.length),
    calls: [even!.calls.slice(evenSpan.start, evenSpan.end), odd!.calls.slice(oddSpan.start, oddSpan.end)],
    layers: even!.layers.slice(evenSpan.start, evenSpan.end),
    recomputed: even!.recomputed.slice(evenSpan.start, evenSpan.end),
  });
  const phases = (name: 'forward' | 'backward' | 'reduce' | 'update') =>
    even!.spans[name].map((span, index) => phase(span, odd!.spans[name][index]!));
  const single = (name: 'loss' | 'apply' | 'gather') => phase(even!.spans[name], odd!.spans[name]);
  return {
    end: even!.end,
    program: {
      kind: request.variant.kind,
      samples: request.variant.samples,
      messages,
      slots,
      sends,
      forward: phases('forward'),
      loss: single('loss'),
      backward: phases('backward'),
      reduce: phases('reduce'),
      update: phases('update'),
      apply: single('apply'),
      gather: single('gather'),
      outputs: even!.outputs,
      outputGradient: even!.outputGradient,
      inputGradients: even!.inputGradients,
    },
  };
}

function shift(offsets: ReadonlyMap<number, number>, base: number): Map<number, number> {
  return new Map([...offsets].map(([id, offset]) => [id, base + offset]));
}

function nearestFirst(messages: readonly Message[], rank: number, devices: number): readonly Message[] {
  const distance = ({ to }: Message) => (to - rank + devices) % devices;
  return messages.toSorted((a, b) => distance(a) - distance(b) || a.id - b.id);
}

interface Addresses {
  readonly slots: ReadonlyMap<number, number>;
  readonly sends: ReadonlyMap<number, number>;
}

interface Emitted {
  readonly calls: readonly KernelCall[];
  readonly layers: readonly (number | undefined)[];
  readonly recomputed: readonly boolean[];
  readonly end: number;
  readonly spans: Spans;
  readonly outputs: readonly (Readable | undefined)[];
  readonly outputGradient: Readable | undefined;
  readonly inputGradients: readonly (Readable | undefined)[];
}

function emitIteration(request: IterationRequest, parity: 0 | 1, addresses: Addresses): Emitted {
  const linker = new Linker();
  const places: MessagePlaces = {
    framing: request.options.framing,
    slot: ({ id }) => addresses.slots.get(id)!,
    region: ({ id }) => addresses.sends.get(id)!,
  };
  const emission: Emission = {
    ...request,
    parity,
    linker,
    places,
    outputs: request.stages.map(() => undefined),
    activations: request.stages.map(() => undefined),
    inputGradients: request.stages.map(() => undefined),
    outputGradient: undefined,
    parameterGradients: new Map(),
  };
  const spans = request.variant.kind === 'checkpoint' ? emitCheckpoint(emission) : emitStep(emission);
  // Owners read gradients in the update, whatever the order in which stages are reduced before it.
  emission.parameterGradients.forEach((address) => linker.keep(address));
  const { calls, layers, recomputed, end, locate } = linker.link(request.storage.end);
  const readable = (stored: Stored | undefined): Readable | undefined =>
    stored && { box: stored.box, view: { ...stored.view, offset: locate(stored.view.offset) } };
  return {
    calls,
    layers,
    recomputed,
    end,
    spans,
    outputs: emission.outputs.map(readable),
    outputGradient: readable(emission.outputGradient),
    inputGradients: emission.inputGradients.map(readable),
  };
}

function emitStep(emission: Emission): Spans {
  const { stages, variant } = emission;
  const forward = stages.map((_, stage) =>
    span(emission, messagesOf(emission, 'forward', stage, stage + 1), () => emitForwardStage(emission, stage)),
  );
  const loss = span(emission, NO_MESSAGES, () => emitLoss(emission));
  const backward: Span[] = [];
  const reduce: Span[] = [];
  const last = stages.length - 1;
  for (let stage = last; stage >= 0; stage--) {
    if (variant.kind === 'train') {
      backward[stage] = span(emission, messagesOf(emission, 'backward', stage + 1, stage), () =>
        emitBackwardStage(emission, stage),
      );
    }
    reduce[stage] = span(emission, { receive: [], send: mine(emission, 'gradient', stage) }, () =>
      emitReduce(emission, stage),
    );
  }
  const update = stages.map((_, stage) =>
    span(emission, { receive: theirs(emission, 'gradient', stage), send: mine(emission, 'weights', stage) }, () =>
      emitUpdate(emission, stage),
    ),
  );
  const arriving = stages.flatMap((_, stage) => theirs(emission, 'weights', stage));
  const apply = span(emission, { receive: arriving, send: [] }, () => emitApply(emission));
  return { forward, loss, backward, reduce, update, apply, gather: emptySpan(emission) };
}

function emitCheckpoint(emission: Emission): Spans {
  const empty = emptySpan(emission);
  // Writers send to each other: whoever waited first would wait for ever.
  const collect = theirs(emission, 'gather', 0);
  const gather = span(emission, { receive: [], send: mine(emission, 'gather', 0), collect }, () =>
    emitReduce(emission, 0),
  );
  return { forward: [], loss: empty, backward: [], reduce: [], update: [], apply: empty, gather };
}

interface SpanMessages {
  readonly receive: readonly Message[];
  readonly send: readonly Message[];
  readonly collect?: readonly Message[];
}

const NO_MESSAGES: SpanMessages = { receive: [], send: [] };

function span({ linker }: Emission, { receive, send, collect = [] }: SpanMessages, emit: () => void): Span {
  const start = linker.position;
  linker.layer = undefined;
  emit();
  const ids = (messages: readonly Message[]) => messages.map(({ id }) => id);
  return { start, end: linker.position, receive: ids(receive), send, collect: ids(collect) };
}

function emptySpan({ linker }: Emission): Span {
  return { start: linker.position, end: linker.position, receive: [], send: [], collect: [] };
}

/** Messages of a purpose that arrive for one stage and leave for another. */
function messagesOf(emission: Emission, purpose: Message['purpose'], arriving: number, leaving: number): SpanMessages {
  return { receive: theirs(emission, purpose, arriving), send: mine(emission, purpose, leaving) };
}
