import { survivorsMin } from '@starling/protocol-secagg';
import { neighboursOf } from './graph.ts';
import { rosterSize, type SessionState } from './state.ts';

/**
 * Whether these members are enough for a sum to be opened: for the protocol, and for this peer's
 * own veto if it is one of them. Asked of V before masking, of U before voting and before
 * revealing. Spec §5.3 and §9.3.
 */
export function isEnough(d: SessionState, members: readonly number[]): boolean {
  const { graph } = d.config;
  if (members.length < survivorsMin(rosterSize(d))) return false;
  if (graph === undefined) return true;
  // An adversary that silences a survivor's neighbours must not be left alone with its mask.
  const present = new Set(members);
  return members.every((member) => {
    const alive = neighboursOf(d.config, member).filter((other) => present.has(other)).length;
    return alive >= graph.shareThreshold;
  });
}

/** Whether this peer's owner lets its update be added to those of `members`. */
export function isVetoed(d: SessionState, members: readonly number[]): boolean {
  const { veto, self } = d.config;
  if (veto === undefined || !members.includes(self)) return false;
  const trusted = members.filter((member) => veto.trusted.has(member)).length;
  return members.length < veto.survivorsMin || trusted < veto.trustedMin;
}
