/** Transfers as kernel calls: packing messages into send regions, and what arrives out of its slots. */

import type { Box, Extent } from '../tensor/box.ts';
import { boxOf, extentOf, intersect, isEmpty, volume } from '../tensor/box.ts';
import { FLOAT_BYTES, contiguous, slice, type View } from '../tensor/view.ts';
import type { Linker } from './linker.ts';
import type { Message, MessagePart } from './messages.ts';
import type { Framing } from './storage.ts';

/** Where the messages of one iteration lie in the arena. */
export interface MessagePlaces {
  readonly framing: Framing;
  /** Address of a received message's bytes. */
  slot(message: Message): number;
  /** Address of the first chunk's payload of a message to send. */
  region(message: Message): number;
}

/** A part of a parameter as one row of values: pieces are cut along the first axis only, so they lie together. */
export function pieceView(address: number, extent: Extent, box: Box): View {
  const whole = contiguous(address, extent);
  return flat(slice(whole, boxOf(extent), box).offset, volume(box));
}

/** `values` float32 values in a row. */
export function flat(address: number, values: number): View {
  return contiguous(address, [1, 1, 1, values]);
}

/** A box and where its values lie. */
interface Placed {
  readonly box: Box;
  readonly view: View;
}

/** Copies or adds what two boxes of one tensor share. */
export function emitShared(linker: Linker, kind: 'copy' | 'add', from: Placed, to: Placed): void {
  const box = intersect(from.box, to.box);
  if (isEmpty(box)) return;
  linker.emit({ kind, source: slice(from.view, from.box, box), target: slice(to.view, to.box, box) });
}

/** Packs every part of a message, which `locate` finds, into its send region. */
export function emitPack(
  linker: Linker,
  message: Message,
  places: MessagePlaces,
  locate: (part: MessagePart) => View,
): void {
  const { chunkBytes, headerBytes: gapBytes } = places.framing;
  let start = 0;
  for (const part of message.parts) {
    linker.emit({ kind: 'pack', source: locate(part), offset: places.region(message), start, chunkBytes, gapBytes });
    start += volume(part.box) * FLOAT_BYTES;
  }
}

/** Views of a received message's parts, densely packed one after another. */
export function slotViews(
  message: Message,
  places: MessagePlaces,
  rows: boolean,
): readonly { part: MessagePart; view: View }[] {
  let address = places.slot(message);
  return message.parts.map((part) => {
    const view = rows ? flat(address, volume(part.box)) : contiguous(address, extentOf(part.box));
    address += volume(part.box) * FLOAT_BYTES;
    return { part, view };
  });
}
