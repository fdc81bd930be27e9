/** Exchange: who sends which box to whom when a tensor moves from its owners to those who need it, and back. */

import { intersect, isEmpty, type Box } from '../tensor/box.ts';

/** One box that rank `from` sends to rank `to`. */
export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly box: Box;
}

/**
 * Redistribute: every pair of ranks exchanges the intersection of what one owns and the other needs. What a rank owns and needs
 * itself stays where it is and is not listed.
 * @param owned by rank, disjoint; @param needed by rank
 */
export function redistribute(owned: readonly Box[], needed: readonly Box[]): readonly Transfer[] {
  return owned.flatMap((mine, from) =>
    needed.flatMap((theirs, to) => {
      const box = from === to ? mine : intersect(mine, theirs);
      return from === to || isEmpty(box) ? [] : [{ from, to, box }];
    }),
  );
}

/** The adjoint: partial gradients of needed boxes return to the owners, who add them. Same boxes, opposite way. */
export function adjoint(owned: readonly Box[], needed: readonly Box[]): readonly Transfer[] {
  return redistribute(owned, needed).map(({ from, to, box }) => ({ from: to, to: from, box }));
}
