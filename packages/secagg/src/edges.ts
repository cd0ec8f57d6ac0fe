import { equalBytes } from '@starling/core';
import { areNeighbours, holderIndex } from './graph.ts';
import { messageOf, type SessionState } from './state.ts';

/**
 * Whether both ends of an edge committed to the same seed. A mismatch shows to everybody and means
 * that one end lied, so the edge gave no privacy: it carries no mask. Spec §5.3.
 */
export function isEdgeIntact(d: SessionState, a: number, b: number): boolean {
  if (!areNeighbours(d.config, a, b)) return false;
  const mine = edgeCommitmentOf(d, a, b);
  const theirs = edgeCommitmentOf(d, b, a);
  if (mine === undefined || theirs === undefined) return false;
  return equalBytes(mine, theirs) && mine.some((byte) => byte !== 0);
}

/** What `dealer` committed to for its edge with `other`. */
export const edgeCommitmentOf = (
  d: SessionState,
  dealer: number,
  other: number,
): Uint8Array | undefined =>
  messageOf(d, 'keyshare', dealer)?.dealt[holderIndex(d.config, dealer, other)]?.edgeCommitment;

/** The smaller index adds the mask of an edge, the larger one subtracts it. */
export const edgeSign = (member: number, other: number): 1 | -1 => (member < other ? 1 : -1);
