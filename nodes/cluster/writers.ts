/** Who writes checkpoints. */

import { isLoopback, type Submission } from 'mqtile';

/** Nodes on one machine share its disk: one checkpoint is enough, and two writers of one file too many. @param hosts of the peers */
export function writersOf(hosts: readonly string[]): Submission['writers'] {
  return hosts.every(isLoopback) ? 'first' : 'all';
}
