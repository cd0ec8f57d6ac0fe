import { equalBytes } from '@starling/core';
import { messageOf, type SessionState } from './state.ts';

/**
 * Whether both ends of an edge committed to the same seed. A mismatch shows to everybody and means
 * that one end lied, so the edge gave no privacy: it carries no mask. Spec §5.3.
 */
export function isEdgeIntact(d: SessionState, a: number, b: number): boolean {
  const mine = messageOf(d, 'keyshare', a)?.dealt[b]?.edgeCommitment;
  const theirs = messageOf(d, 'keyshare', b)?.dealt[a]?.edgeCommitment;
  if (mine === undefined || theirs === undefined) return false;
  return equalBytes(mine, theirs) && mine.some((byte) => byte !== 0);
}

/** The smaller index adds the mask of an edge, the larger one subtracts it. */
export const edgeSign = (member: number, other: number): 1 | -1 => (member < other ? 1 : -1);
