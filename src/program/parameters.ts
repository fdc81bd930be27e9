/** Parameters as kernel calls: gradients to their owners, the update there, new values to the holders. */

import { METRICS } from '../planner/plan.ts';
import { volume, type Box } from '../tensor/box.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';
import { theirs, mine, type Emission } from './emission.ts';
import { bucketsOf, contributorsOf, momentumName, type Bucket, type MessagePart } from './messages.ts';
import { emitPack, flat, pieceView, slotViews } from './transfers.ts';

type Piece = Bucket['parts'][number];

/** Packs this device's part of the stage's gradients for their owners; for a checkpoint, momentum and weights for the writers. */
export function emitReduce(emission: Emission, stage: number): void {
  const { linker, places, variant } = emission;
  const purpose = variant.kind === 'checkpoint' ? 'gather' : 'gradient';
  const locate = (part: MessagePart) => (purpose === 'gather' ? kept(emission, part) : gradient(emission, part));
  for (const message of mine(emission, purpose, stage)) emitPack(linker, message, places, locate);
}

function gradient({ plan, parameterGradients }: Emission, { tensor, box }: MessagePart): View {
  const { extent } = plan.parameters.find(({ name }) => name === tensor)!;
  return pieceView(parameterGradients.get(tensor)!, extent, box);
}

/** Where a box of weights, of the metrics or of an owned momentum is kept between iterations. */
function kept({ plan, storage }: Emission, { tensor, box }: MessagePart): View {
  const piece = storage.owned.find(
    ({ parameter, box: owned }) => momentumName(parameter.name) === tensor && owned === box,
  );
  if (piece) return flat(piece.momentum, volume(box));
  const { extent } = plan.parameters.find(({ name }) => name === tensor)!;
  return pieceView(tensor === METRICS ? storage.metrics : storage.parameters.get(tensor)!, extent, box);
}

/** The stage's buckets that take part in this kind of iteration: evaluation moves metrics only. */
function buckets({ plan, variant }: Emission, stage: number): readonly Bucket[] {
  const keep = ({ name }: { name: string }) => variant.kind === 'train' || name === METRICS;
  return bucketsOf(plan, keep).filter((bucket) => bucket.stage === stage);
}

/** Owner: add the contributions in rank order, update, pack the new values for the holders. */
export function emitUpdate(emission: Emission, stage: number): void {
  const { linker, places, rank } = emission;
  for (const bucket of buckets(emission, stage).filter(({ owner }) => owner === rank)) {
    bucket.parts.forEach((piece) => emitPiece(emission, stage, piece));
  }
  for (const message of mine(emission, 'weights', stage)) {
    emitPack(linker, message, places, (part) => kept(emission, part));
  }
}

function emitPiece(emission: Emission, stage: number, { parameter, box }: Piece): void {
  const { linker, storage, options } = emission;
  const gradient = emitSum(emission, stage, { parameter, box });
  if (parameter.name === METRICS) return;
  const { momentum: coefficient, weightDecay } = options.optimizer;
  const weights = pieceView(storage.parameters.get(parameter.name)!, parameter.extent, box).offset;
  const momentum = storage.owned.find((piece) => piece.parameter === parameter && piece.box === box)!.momentum;
  linker.emit({
    kind: 'sgd',
    weights,
    gradient,
    momentum,
    length: volume(box),
    rate: storage.rate,
    coefficient,
    weightDecay,
  });
}

/** Adds what all contributors have for a piece, in rank order; nothing is added or copied where the owner alone contributes. @returns the sum's address */
function emitSum(emission: Emission, stage: number, { parameter, box }: Piece): number {
  const { linker, rank, storage, stages, parameterGradients } = emission;
  const values = volume(box);
  const own = () => pieceView(parameterGradients.get(parameter.name)!, parameter.extent, box);
  const contributors = contributorsOf(parameter, stages);
  const kept = parameter.name === METRICS;
  if (!kept && contributors.length === 1 && contributors[0] === rank) return own().offset;
  const sum = kept ? storage.metrics : linker.buffer(values * FLOAT_BYTES);
  linker.emit({ kind: 'zero', offset: sum, bytes: values * FLOAT_BYTES });
  for (const from of contributors) {
    const source = from === rank ? own() : contribution(emission, stage, { parameter, box }, from);
    linker.emit({ kind: 'add', source, target: flat(sum, values) });
  }
  return sum;
}

/** What another device sent of a piece's gradient. */
function contribution(emission: Emission, stage: number, piece: Piece, from: number): View {
  const message = theirs(emission, 'gradient', stage).find((candidate) => candidate.from === from)!;
  return slotViews(message, emission.places, true).find(({ part }) => isPiece(part, piece))!.view;
}

function isPiece(part: MessagePart, piece: Piece): boolean {
  return part.tensor === piece.parameter.name && part.box === piece.box;
}

/** Holder: new values from their slots to their place; then one checksum per bucket of weights that this device holds. */
export function emitApply(emission: Emission): void {
  const { linker, places, stages, rank, plan, storage, variant } = emission;
  for (const stage of stages.keys()) {
    for (const message of theirs(emission, 'weights', stage)) {
      for (const { part, view } of slotViews(message, places, true)) {
        linker.emit({ kind: 'copy', source: view, target: kept(emission, part) });
      }
    }
  }
  if (variant.kind !== 'train') return;
  bucketsOf(plan).forEach(({ parts }, index) => {
    const target = storage.checksums + index * 4;
    linker.emit({ kind: 'zero', offset: target, bytes: 4 });
    for (const { parameter, box } of parts) {
      // Nobody compares what only one device holds.
      if (parameter.name === METRICS || !parameter.holders.includes(rank) || parameter.holders.length === 1) continue;
      linker.emit({ kind: 'checksum', ...bytesOf(kept(emission, { tensor: parameter.name, box }), box), target });
    }
  });
}

function bytesOf({ offset }: View, box: Box): { offset: number; bytes: number } {
  return { offset, bytes: volume(box) * FLOAT_BYTES };
}
