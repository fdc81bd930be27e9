/** Words for what a plan holds, as drawings and flows say them to people. */

import type { Layer } from '../model/layers.ts';
import type { Stage } from './plan.ts';

const SHORT_NAMES = { maxPool: 'pool', flatten: 'flatten' };

/** A layer's own name, or its kind: `conv1`, `pool`. */
export function shortName(layer: Layer): string {
  return 'name' in layer ? layer.name : SHORT_NAMES[layer.kind];
}

/** The same with the size of its window: `conv1 5x5`. */
export function longName(layer: Layer): string {
  return 'kernel' in layer ? `${shortName(layer)} ${layer.kernel}x${layer.kernel}` : shortName(layer);
}

/** How a stage's output is cut: `2x2 tiles`, `samples`, `one device`. */
export function partitionName({ partition, grid }: Pick<Stage, 'partition'> & { readonly grid?: string }): string {
  switch (partition) {
    case 'tiles':
      return `${grid ?? ''} tiles`;
    case 'samples':
      return 'samples';
    case 'single':
      return 'one device';
  }
}

/** Bytes as kB or MB. */
export function formatBytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
