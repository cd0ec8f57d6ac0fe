import { assert, LIMITS } from '@starling/core';

/** Largest number of Byzantine members among `peers`: f = ⌈g/3⌉ − 1. */
export const byzantineMax = (peers: number): number => Math.ceil(peers / 3) - 1;

/** Votes that decide, and shares that reconstruct: t = ⌊2g/3⌋ + 1 (design decision 9a). */
export function threshold(peers: number): number {
  assert(peers >= 1 && peers <= LIMITS.rosterPeersMax, `a roster of ${peers} peers`);
  return Math.floor((2 * peers) / 3) + 1;
}

/** Fewest survivors whose sum may be opened: max(t, f + 2). */
export const survivorsMin = (peers: number): number =>
  Math.max(threshold(peers), byzantineMax(peers) + 2);

/** ABANDONs that prove that no certificate can come any more: 2f + 1 (design decision 9b). */
export const abandonsMin = (peers: number): number => 2 * byzantineMax(peers) + 1;
