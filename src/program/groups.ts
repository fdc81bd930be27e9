/** Groups of channels: a grouped convolution is one convolution after another, each on its slice of inputs and filters. */

import type { Conv2d } from '../model/layers.ts';
import { length, type Range } from '../tensor/box.ts';
import { FLOAT_BYTES, type View } from '../tensor/view.ts';

/** What one group of filters reads, and where its weights begin. */
interface ChannelGroup {
  readonly inputs: Range;
  readonly filters: Range;
  /** Bytes from the layer's first weight to the group's. */
  readonly weightOffset: number;
}

/** The groups of a convolution over `channels` input channels, in order; one where it has no groups. */
export function channelGroups(convolution: Conv2d, channels: number): readonly ChannelGroup[] {
  const { filters, kernel, groups = 1 } = convolution;
  const [inputs, outputs] = [channels / groups, filters / groups];
  return Array.from({ length: groups }, (_, group) => ({
    inputs: [group * inputs, (group + 1) * inputs],
    filters: [group * outputs, (group + 1) * outputs],
    weightOffset: group * outputs * inputs * kernel ** 2 * FLOAT_BYTES,
  }));
}

/** Whether a convolution over `channels` input channels has one filter a channel. */
export function isDepthwise({ filters, groups }: Conv2d, channels: number): boolean {
  return groups === channels && filters === channels;
}

/** The part of a view that covers a range of its channels, counted from its first one. */
export function channelsOf(view: View, channels: Range): View {
  const [samples, , rows, columns] = view.extent;
  const offset = view.offset + channels[0] * view.strides[1];
  return { ...view, offset, extent: [samples, length(channels), rows, columns] };
}
